package accounts

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

// GrantedRoles are those that an administrator gives and takes.
var GrantedRoles = slices.DeleteFunc(slices.Clone(lms.Roles), func(r lms.Role) bool { return r == lms.Caregiver })

// RoleChange is the roles that a person has beyond caregiver, as they were shown and as
// they are to be.
type RoleChange struct{ Was, Want []lms.Role }

// Gives are the roles that the person gets.
func (c RoleChange) Gives() []lms.Role { return rolesBeyond(c.Want, c.Was) }

// Takes are the roles that the person loses.
func (c RoleChange) Takes() []lms.Role { return rolesBeyond(c.Was, c.Want) }

// rolesBeyond are the roles of a list that another one has not, in the order of lms.Roles.
func rolesBeyond(list, other []lms.Role) (rest []lms.Role) {
	for _, r := range GrantedRoles {
		if slices.Contains(list, r) && !slices.Contains(other, r) {
			rest = append(rest, r)
		}
	}
	return rest
}

// check errors: lms.ErrForm with field roles, ErrNothingChanged.
func (c RoleChange) check() error {
	for _, r := range c.Want {
		if !slices.Contains(GrantedRoles, r) {
			return lms.ErrForm.WithField("roles", "role_unknown")
		}
	}
	if len(c.Gives())+len(c.Takes()) == 0 {
		return ErrNothingChanged
	}
	return nil
}

// canTakeRole tells whether somebody may lose a role that so many others hold who can
// sign in.
//
// Errors: ErrLastAdmin.
func canTakeRole(r lms.Role, others int) error {
	if r == lms.Administrator && others == 0 {
		return ErrLastAdmin
	}
	return nil
}

// CheckRoles tells what would stand against a change of a person's roles now.
//
// Errors: lms.ErrForm with field roles, ErrNothingChanged, ErrLastAdmin, ErrUnprotected.
func (s *Service) CheckRoles(ctx context.Context, id lms.PersonID, c RoleChange) error {
	if err := c.check(); err != nil {
		return err
	}
	return s.canChange(ctx, s.DB, id, c)
}

// canChange errors: ErrLastAdmin, ErrUnprotected.
func (s *Service) canChange(ctx context.Context, db pg.Querier, id lms.PersonID, c RoleChange) error {
	for _, r := range c.Takes() {
		others, err := countOtherHolders(ctx, db, r, id)
		if err != nil {
			return err
		}
		if err := canTakeRole(r, others); err != nil {
			return err
		}
	}
	if len(c.Gives()) == 0 {
		return nil
	}
	protected, err := selectProtected(ctx, db, id)
	if err == nil && !protected {
		return ErrUnprotected
	}
	return err
}

// ChangeRoles gives and takes roles. Every session of the person ends, the computers in
// which they signed in are forgotten, and they are told.
//
// Errors: lms.ErrNotFound, lms.ErrForm with field roles, ErrNothingChanged,
// ErrRolesChanged, ErrLastAdmin, ErrUnprotected.
func (s *Service) ChangeRoles(ctx context.Context, v lms.Viewer, id lms.PersonID, c RoleChange, from string, now time.Time) error {
	if err := c.check(); err != nil {
		return err
	}
	return s.forPerson(ctx, id, func(tx pgx.Tx) error {
		p, err := selectPerson(ctx, tx, id)
		if err != nil {
			return err
		}
		if len(rolesBeyond(p.Roles, c.Was))+len(rolesBeyond(c.Was, p.Roles)) > 0 {
			return ErrRolesChanged
		}
		if err := s.canChange(ctx, tx, id, c); err != nil {
			return err
		}
		for _, r := range c.Takes() {
			if err := deleteRole(ctx, tx, id, r); err != nil {
				return err
			}
		}
		for _, r := range c.Gives() {
			if err := insertRole(ctx, tx, id, r); err != nil {
				return err
			}
		}
		return s.signOut(ctx, tx, p, lms.AuditEntry{Actor: v.ID, Action: "roles_changed", Subject: id, Note: trailed(c.Want), At: now, From: from}, EndedRoles, s.rolesLine(p.Lang, c.Want))
	})
}

// trailed is a set of roles for a line of the trail.
func trailed(roles []lms.Role) string {
	names := []string{string(lms.Caregiver)}
	for _, r := range rolesBeyond(roles, nil) {
		names = append(names, string(r))
	}
	return strings.Join(names, ", ")
}

// rolesLine says what somebody is who has roles beyond caregiver.
func (s *Service) rolesLine(lang string, roles []lms.Role) string {
	names := []string{s.Words.Text(lang, "accounts.role."+string(lms.Caregiver))}
	for _, r := range rolesBeyond(roles, nil) {
		names = append(names, s.Words.Text(lang, "accounts.role."+string(r)))
	}
	return s.Words.Text(lang, "mail.roles_changed.now", "Roles", strings.Join(names, ", "))
}
