package accounts

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/jackc/pgx/v5"

	"mopd/lms"
)

// passkeyUser is a person as the WebAuthn library wants them.
type passkeyUser struct {
	lms.Person
	credentials []webauthn.Credential
}

// WebAuthnID is the user handle (WebAuthn Level 3 §14.6.1: nothing that identifies
// somebody elsewhere).
func (u passkeyUser) WebAuthnID() []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(u.ID))
}

// WebAuthnName is what a browser lists the passkey under.
func (u passkeyUser) WebAuthnName() string { return u.Email }

// WebAuthnDisplayName is the person's name.
func (u passkeyUser) WebAuthnDisplayName() string { return u.Name() }

// WebAuthnCredentials are the person's passkeys.
func (u passkeyUser) WebAuthnCredentials() []webauthn.Credential { return u.credentials }

func (s *Service) passkeyUser(ctx context.Context, p lms.Person) (passkeyUser, error) {
	credentials, err := selectCredentials(ctx, s.DB, p.ID)
	return passkeyUser{p, credentials}, err
}

// challenge is what a passkey is to sign, and when it was asked for.
type challenge struct {
	webauthn.SessionData
	AskedAt time.Time `json:"asked_at"`
}

func (s *Service) keepChallenge(ctx context.Context, v lms.Viewer, data *webauthn.SessionData, now time.Time) error {
	b, err := json.Marshal(challenge{*data, now})
	if err != nil {
		return fmt.Errorf("challenge: %w", err)
	}
	return updateChallenge(ctx, s.DB, v.Session, b)
}

// takeChallenge takes the session's challenge: it is for one answer, and for not long.
//
// Errors: ErrWrongPasskey when there is none.
func (s *Service) takeChallenge(ctx context.Context, v lms.Viewer, now time.Time) (webauthn.SessionData, error) {
	b, err := takeChallenge(ctx, s.DB, v.Session)
	if errors.Is(err, lms.ErrNotFound) {
		return webauthn.SessionData{}, ErrWrongPasskey.Because(err)
	}
	if err != nil {
		return webauthn.SessionData{}, err
	}
	var c challenge
	if err := json.Unmarshal(b, &c); err != nil {
		return webauthn.SessionData{}, fmt.Errorf("challenge of session %d: %w", v.Session, err)
	}
	if now.Sub(c.AskedAt) > codeLife {
		return webauthn.SessionData{}, ErrWrongPasskey.Because(errors.New("the challenge is too old"))
	}
	return c.SessionData, nil
}

// PasskeyCreation asks the browser for a new passkey.
func (s *Service) PasskeyCreation(ctx context.Context, v lms.Viewer, now time.Time) (*protocol.CredentialCreation, error) {
	user, err := s.passkeyUser(ctx, v.Person)
	if err != nil {
		return nil, err
	}
	options, challenge, err := s.passkeys.BeginRegistration(user,
		webauthn.WithExclusions(webauthn.Credentials(user.credentials).CredentialDescriptors()),
		webauthn.WithResidentKeyRequirement(protocol.ResidentKeyRequirementPreferred))
	if err != nil {
		return nil, fmt.Errorf("ask for a new passkey: %w", err)
	}
	return options, s.keepChallenge(ctx, v, challenge, now)
}

// AddPasskey makes a passkey that the browser made a second factor.
//
// Errors: ErrWrongPasskey, ErrFactorExists.
func (s *Service) AddPasskey(ctx context.Context, v lms.Viewer, answer []byte, o Origin, now time.Time) (SetUp, error) {
	data, err := s.takeChallenge(ctx, v, now)
	if err != nil {
		return SetUp{}, err
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(answer)
	if err != nil {
		return SetUp{}, ErrWrongPasskey.Because(err)
	}
	credential, err := s.passkeys.CreateCredential(passkeyUser{Person: v.Person}, data, parsed)
	if err != nil {
		return SetUp{}, ErrWrongPasskey.Because(err)
	}
	return s.setUp(ctx, v, o, now, func(tx pgx.Tx) (int64, error) {
		return insertPasskey(ctx, tx, v.ID, credential, agentName(o.Agent), now)
	})
}

// resolveHandle lets a passkey speak for who a person is today, when it was made under a
// profile that was merged (WebAuthn Level 3 §7.2 step 6: the handle maps to the same
// user).
func (s *Service) resolveHandle(ctx context.Context, answer *protocol.ParsedCredentialAssertionData, user passkeyUser) error {
	handle := answer.Response.UserHandle
	if len(handle) != 8 {
		return nil
	}
	who, err := selectWho(ctx, s.DB, lms.PersonID(binary.BigEndian.Uint64(handle)))
	if err == nil && who == user.ID {
		answer.Response.UserHandle = user.WebAuthnID()
	}
	if errors.Is(err, lms.ErrNotFound) {
		return nil
	}
	return err
}
