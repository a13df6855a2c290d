package accounts

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/go-webauthn/webauthn/protocol"
	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
)

// softKey is a passkey in software, and the browser that it is in. It answers whatever
// it is asked: a real one would refuse other sites.
type softKey struct {
	t      *testing.T
	key    *ecdsa.PrivateKey
	id     []byte
	count  uint32
	origin string
	site   string // RP ID
}

func newSoftKey(t *testing.T) *softKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return &softKey{t: t, key: key, id: newSalt(), origin: "https://learn.example.org", site: "learn.example.org"}
}

func (k *softKey) clientData(kind string, challenge protocol.URLEncodedBase64) []byte {
	b, err := json.Marshal(map[string]any{"type": kind, "challenge": b64(challenge), "origin": k.origin, "crossOrigin": false})
	require.NoError(k.t, err)
	return b
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// authData is the authenticator data (WebAuthn Level 3 §6.1), with user presence (0x01)
// and verification (0x04).
func (k *softKey) authData(flags byte) []byte {
	k.count++
	site := sha256.Sum256([]byte(k.site))
	return binary.BigEndian.AppendUint32(append(site[:], flags|0x05), k.count)
}

func (k *softKey) answer(response map[string]string) []byte {
	b, err := json.Marshal(map[string]any{"id": b64(k.id), "rawId": b64(k.id), "type": "public-key", "response": response})
	require.NoError(k.t, err)
	return b
}

// create answers navigator.credentials.create (§6.5.4, attestation "none").
func (k *softKey) create(options *protocol.CredentialCreation) []byte {
	k.t.Helper()
	point, err := k.key.PublicKey.Bytes()
	require.NoError(k.t, err)
	public, err := cbor.Marshal(map[int]any{1: 2, 3: -7, -1: 1, -2: point[1:33], -3: point[33:]}) // COSE: EC2, ES256, P-256
	require.NoError(k.t, err)
	data := append(k.authData(0x40), make([]byte, 16)...) // attested credential data; no AAGUID
	data = append(binary.BigEndian.AppendUint16(data, uint16(len(k.id))), k.id...)
	object, err := cbor.Marshal(map[string]any{"fmt": "none", "attStmt": map[string]any{}, "authData": append(data, public...)})
	require.NoError(k.t, err)
	return k.answer(map[string]string{"clientDataJSON": b64(k.clientData("webauthn.create", options.Response.Challenge)), "attestationObject": b64(object)})
}

// get answers navigator.credentials.get (§6.3.3).
func (k *softKey) get(challenge protocol.URLEncodedBase64, user lms.PersonID) []byte {
	k.t.Helper()
	data, client := k.authData(0), k.clientData("webauthn.get", challenge)
	hash := sha256.Sum256(client)
	sum := sha256.Sum256(append(append([]byte{}, data...), hash[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, k.key, sum[:])
	require.NoError(k.t, err)
	return k.answer(map[string]string{
		"clientDataJSON": b64(client), "authenticatorData": b64(data), "signature": b64(signature),
		"userHandle": b64(binary.BigEndian.AppendUint64(nil, uint64(user))),
	})
}

// withPasskey is somebody signed in who has set a passkey up.
func (w *world) withPasskey(n NewPerson) (lms.Viewer, *softKey) {
	w.t.Helper()
	p := w.add(n)
	w.hasCodes(p)
	k := newSoftKey(w.t)
	return w.addPasskey(w.open(p, lms.Enrolling, lmstest.Now), k), k
}

func (w *world) addPasskey(v lms.Viewer, k *softKey) lms.Viewer {
	w.t.Helper()
	options, err := w.PasskeyCreation(w.t.Context(), v, lmstest.Now)
	require.NoError(w.t, err)
	done, err := w.AddPasskey(w.t.Context(), v, k.create(options), desk, lmstest.Now)
	require.NoError(w.t, err)
	require.Equal(w.t, lms.SignedIn, done.Stage)
	return w.viewer(done.Token, lmstest.Now)
}

func (w *world) passkeyOf(v lms.Viewer) int64 {
	w.t.Helper()
	ways, err := w.Ways(w.t.Context(), v)
	require.NoError(w.t, err)
	require.Equal(w.t, Passkey, ways[0].Kind, "the best way comes first")
	return ways[0].ID
}

func (w *world) challenge(v lms.Viewer, now time.Time) protocol.URLEncodedBase64 {
	w.t.Helper()
	options, err := w.PasskeyRequest(w.t.Context(), v, now)
	require.NoError(w.t, err)
	return options.Response.Challenge
}

func (w *world) proveByPasskey(v lms.Viewer, answer []byte, now time.Time) (Opened, error) {
	return w.Prove(w.t.Context(), v, Proof{Factor: w.passkeyOf(v), Passkey: answer, Origin: desk}, now)
}

func TestAPasskeySignsIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, k := w.withPasskey(named("Ana", lms.Administrator))
	half := w.open(v.Person, lms.Identified, lmstest.Now)
	opened, err := w.proveByPasskey(half, k.get(w.challenge(half, lmstest.Now), v.ID), lmstest.Now)
	require.NoError(t, err)
	require.Equal(t, lms.SignedIn, opened.Stage, "it is enough for staff")
	factors, err := w.Factors(t.Context(), v.ID)
	require.NoError(t, err)
	require.Equal(t, "Chrome, Windows", factors[0].Label)
	require.True(t, lmstest.Now.Equal(*factors[0].UsedAt))
}

func TestAnAnswerOfAPasskeyCountsOnceAndForItsOwnQuestion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, k := w.withPasskey(maya())
	refuse := func(what string, answer []byte, now time.Time) {
		t.Helper()
		_, err := w.proveByPasskey(v, answer, now)
		require.ErrorIs(t, err, ErrWrongPasskey, what)
	}
	now := lmstest.Now
	refuse("nothing was asked", k.get(make([]byte, 32), v.ID), now)
	first := w.challenge(v, now)
	second := w.challenge(v, now)
	refuse("the question before", k.get(first, v.ID), now)
	refuse("the last one, after a wrong answer", k.get(second, v.ID), now)
	other := w.open(v.Person, lms.Identified, now)
	w.challenge(v, now)
	refuse("the question of another session", k.get(w.challenge(other, now), v.ID), now)

	refuse("none", nil, now)
	_, err := w.proveByPasskey(v, k.get(w.challenge(v, now), v.ID), now)
	require.ErrorIs(t, err, ErrTooManyTries, "guesses are few here, too")
	now = now.Add(time.Hour)
	answer := k.get(w.challenge(v, now), v.ID)
	_, err = w.proveByPasskey(v, answer, now)
	require.NoError(t, err)
	refuse("the same answer again", answer, now)
	w.challenge(v, now)
	refuse("the same answer to another question", answer, now)
}

func TestAQuestionToAPasskeyWaitsTenMinutes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, k := w.withPasskey(maya())
	for _, c := range []struct {
		later time.Duration
		want  error
	}{{10*time.Minute - time.Second, nil}, {10*time.Minute + time.Second, ErrWrongPasskey}} {
		_, err := w.proveByPasskey(v, k.get(w.challenge(v, lmstest.Now), v.ID), lmstest.Now.Add(c.later))
		require.ErrorIs(t, err, c.want, c.later)
	}
	options, err := w.PasskeyCreation(t.Context(), v, lmstest.Now)
	require.NoError(t, err)
	_, err = w.AddPasskey(t.Context(), v, newSoftKey(t).create(options), desk, lmstest.Now.Add(10*time.Minute+time.Second))
	require.ErrorIs(t, err, ErrWrongPasskey)
}

func TestAPasskeyOfAnotherSiteOrPersonOrOfNobodyIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, own := w.withPasskey(maya())
	ana, other := w.withPasskey(named("Ana"))
	phished, elsewhere, copied := *own, *own, *own
	phished.origin, elsewhere.site, copied.count = "https://learn.example.org.evil.example", "evil.example", 0
	forged := newSoftKey(t)
	forged.id = own.id
	for name, answer := range map[string]func(protocol.URLEncodedBase64) []byte{
		"another origin":              func(c protocol.URLEncodedBase64) []byte { return phished.get(c, v.ID) },
		"another site":                func(c protocol.URLEncodedBase64) []byte { return elsewhere.get(c, v.ID) },
		"somebody else's":             func(c protocol.URLEncodedBase64) []byte { return other.get(c, ana.ID) },
		"somebody else's, as Maya's":  func(c protocol.URLEncodedBase64) []byte { return other.get(c, v.ID) },
		"Maya's, as somebody else":    func(c protocol.URLEncodedBase64) []byte { return own.get(c, ana.ID) },
		"of no account":               func(c protocol.URLEncodedBase64) []byte { return newSoftKey(t).get(c, v.ID) },
		"another key of the same id":  func(c protocol.URLEncodedBase64) []byte { return forged.get(c, v.ID) },
		"one whose counter went back": func(c protocol.URLEncodedBase64) []byte { return copied.get(c, v.ID) },
		"no answer":                   func(protocol.URLEncodedBase64) []byte { return nil },
		"not JSON":                    func(protocol.URLEncodedBase64) []byte { return []byte("{") },
	} {
		half := w.open(v.Person, lms.Identified, lmstest.Now)
		_, err := w.checkPasskey(t.Context(), half, answer(w.challenge(half, lmstest.Now)), lmstest.Now)
		require.ErrorIs(t, err, ErrWrongPasskey, name)
	}
	half := w.open(v.Person, lms.Identified, lmstest.Now)
	_, err := w.proveByPasskey(half, own.get(w.challenge(half, lmstest.Now), v.ID), lmstest.Now)
	require.NoError(t, err)
}

func TestAPasskeyIsMadeForTheQuestionOfThisSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, own := w.withPasskey(maya())
	ana, _ := w.withPasskey(named("Ana"))
	ask := func(v lms.Viewer) *protocol.CredentialCreation {
		options, err := w.PasskeyCreation(t.Context(), v, lmstest.Now)
		require.NoError(t, err)
		return options
	}
	require.Len(t, ask(v).Response.CredentialExcludeList, 1, "an authenticator makes one")
	phished := newSoftKey(t)
	phished.origin = "https://evil.example"
	for name, answer := range map[string]func() []byte{
		"another origin":       func() []byte { return phished.create(ask(v)) },
		"somebody else's":      func() []byte { hers := ask(ana); ask(v); return newSoftKey(t).create(hers) },
		"a sign-in":            func() []byte { return own.get(ask(v).Response.Challenge, v.ID) },
		"the question before":  func() []byte { before := ask(v); ask(v); return newSoftKey(t).create(before) },
		"an answer that is no": func() []byte { ask(v); return []byte("null") },
	} {
		_, err := w.AddPasskey(t.Context(), v, answer(), desk, lmstest.Now)
		require.ErrorIs(t, err, ErrWrongPasskey, name)
	}
	_, err := w.AddPasskey(t.Context(), ana, own.create(ask(ana)), desk, lmstest.Now)
	require.ErrorIs(t, err, ErrFactorExists, "a passkey is one person's")
	second := newSoftKey(t)
	v = w.addPasskey(v, second)
	answer := second.create(ask(v))
	_, err = w.AddPasskey(t.Context(), v, answer, desk, lmstest.Now)
	require.ErrorIs(t, err, ErrFactorExists)
	_, err = w.AddPasskey(t.Context(), v, answer, desk, lmstest.Now)
	require.ErrorIs(t, err, ErrWrongPasskey, "the question was answered")
}

func TestWhoHasNoPasskeyIsNotAskedForOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _ := w.signedIn(maya(), lmstest.Now)
	_, err := w.PasskeyRequest(t.Context(), v, lmstest.Now)
	require.ErrorIs(t, err, lms.ErrNotFound)
}

func TestOfManyAnswersToOneQuestionOneCounts(t *testing.T) {
	w := newWorld(t)
	v, k := w.withPasskey(maya())
	answer := k.get(w.challenge(v, lmstest.Now), v.ID)
	lmstest.OneWins(t, w.db, ErrWrongPasskey, func(int) error {
		_, err := w.checkPasskey(t.Context(), v, answer, lmstest.Now)
		return err
	})
}
