package lms_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mopd/lms"
)

var instant = time.Date(2026, 3, 16, 15, 0, 0, 0, time.UTC)

func viewer(roles ...lms.Role) *lms.Viewer {
	return &lms.Viewer{Person: lms.Person{ID: 1, Roles: roles}, Stage: lms.SignedIn, ProvedAt: instant}
}

func at(stage lms.Stage, roles ...lms.Role) *lms.Viewer {
	v := viewer(roles...)
	v.Stage, v.ProvedAt = stage, time.Time{}
	return v
}

func TestWhoMayDoWhat(t *testing.T) {
	t.Parallel()
	people := map[string]*lms.Viewer{
		"nobody": nil, "identified": at(lms.Identified, lms.Administrator), "enrolling": at(lms.Enrolling, lms.Administrator),
		"two roles": viewer(lms.Finance, lms.Author),
	}
	for _, r := range lms.Roles {
		people[string(r)] = viewer(r)
	}
	people["caregiver"] = viewer()
	var signedIn []string
	for who, v := range people {
		if v != nil && v.Stage == lms.SignedIn {
			signedIn = append(signedIn, who)
		}
	}
	may := map[lms.Action][]string{
		lms.Browse:      append([]string{"nobody", "identified", "enrolling"}, signedIn...),
		lms.Prove:       append([]string{"identified", "enrolling"}, signedIn...),
		lms.SetUpFactor: append([]string{"enrolling"}, signedIn...),
		lms.Learn:       signedIn,
		lms.Secure:      signedIn,
		lms.Publish:     {"author", "administrator", "two roles"},
		lms.LookUp:      {"registrar", "administrator"},
		lms.Identify:    {"registrar"},
		lms.Merge:       {"registrar"},
		lms.GrantRoles:  {"administrator"},
		lms.ReadAudit:   {"administrator"},
		"erase":         nil, // an action that nobody declared
	}
	for action, allowed := range may {
		for who, v := range people {
			require.Equal(t, slices.Contains(allowed, who), lms.May(v, action), "%s, %s", who, action)
		}
	}
}

func TestAnObjectIsItsOwnersAndAnAdministrators(t *testing.T) {
	t.Parallel()
	mine, others, nobodys := lms.Object{Owners: []lms.PersonID{7, 1}}, lms.Object{Owners: []lms.PersonID{7}}, lms.Object{}
	require.True(t, lms.May(viewer(lms.Author), lms.Publish, mine))
	require.False(t, lms.May(viewer(lms.Author), lms.Publish, others))
	require.False(t, lms.May(viewer(lms.Author), lms.Publish, nobodys), "what is nobody's is not everybody's")
	require.False(t, lms.May(viewer(lms.Author), lms.Publish, mine, others))
	require.False(t, lms.May(viewer(), lms.Publish, mine), "owning is not enough without the role")
	require.False(t, lms.May(nil, lms.Browse, mine))
	for _, o := range []lms.Object{mine, others, nobodys} {
		require.True(t, lms.May(viewer(lms.Administrator), lms.Publish, o))
	}
}

func TestARefusalSaysWhatStandsInTheWay(t *testing.T) {
	t.Parallel()
	proved := func(age time.Duration) *lms.Viewer {
		v := viewer(lms.Administrator)
		v.ProvedAt = instant.Add(-age)
		return v
	}
	for name, c := range map[string]struct {
		v      *lms.Viewer
		action lms.Action
		want   error
	}{
		"nobody":                                 {nil, lms.Learn, lms.ErrUnauthenticated},
		"nobody, where a role is needed":         {nil, lms.GrantRoles, lms.ErrUnauthenticated},
		"no second factor given":                 {at(lms.Identified), lms.Learn, lms.ErrFactorNeeded},
		"no second factor given, without a role": {at(lms.Identified), lms.Publish, lms.ErrFactorNeeded},
		"none set up":                            {at(lms.Enrolling), lms.Learn, lms.ErrFactorMissing},
		"none set up, to set one up":             {at(lms.Enrolling), lms.SetUpFactor, nil},
		"given, not yet set up":                  {at(lms.Identified), lms.SetUpFactor, lms.ErrFactorNeeded},
		"without the role":                       {viewer(), lms.Publish, lms.ErrForbidden},
		"without the role, however long ago":     {at(lms.SignedIn), lms.GrantRoles, lms.ErrForbidden},
		"just proved":                            {proved(0), lms.GrantRoles, nil},
		"proved a while ago":                     {proved(lms.ProofAge - time.Second), lms.GrantRoles, nil},
		"proved too long ago":                    {proved(lms.ProofAge), lms.GrantRoles, lms.ErrProofNeeded},
		"never proved: a remembered computer":    {at(lms.SignedIn), lms.Secure, lms.ErrProofNeeded},
		"never proved, where it is not needed":   {at(lms.SignedIn), lms.Learn, nil},
		"an action that nobody declared":         {viewer(lms.Administrator), "erase", lms.ErrForbidden},
	} {
		if c.want == nil {
			require.NoError(t, lms.Refusal(c.v, c.action, instant), name)
		} else {
			require.ErrorIs(t, lms.Refusal(c.v, c.action, instant), c.want, name)
		}
	}
}

func TestWhoeverHasARoleBeyondCaregiverIsStaff(t *testing.T) {
	t.Parallel()
	require.False(t, lms.Person{}.Staff())
	require.False(t, lms.Person{Roles: []lms.Role{lms.Caregiver}}.Staff())
	for _, r := range lms.Roles[1:] {
		require.True(t, lms.Person{Roles: []lms.Role{r}}.Staff(), r)
	}
}
