package accounts

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"golang.org/x/crypto/argon2"

	"mopd/lms"
)

const keyLength = 32

// cost is what argon2id takes for a hash. Each hash carries its own.
type cost struct {
	memoryKiB, passes uint32
	lanes             uint8
}

// standard is the cost of new hashes (OWASP Password Storage Cheat Sheet: 19 MiB,
// 2 passes, 1 lane).
var standard = cost{memoryKiB: 19 * 1024, passes: 2, lanes: 1}

// String is what a PHC string of this cost begins with.
func (c cost) String() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$", argon2.Version, c.memoryKiB, c.passes, c.lanes)
}

// hasher makes and verifies hashes of passwords, a few at once: each takes its memory and
// a processor. Passwords are the same however a keyboard writes their characters (normal).
type hasher struct {
	cost    cost
	places  chan struct{}
	derived atomic.Int64 // keys: what answers cost that must not be told apart
}

// newHasher computes at most atOnce hashes at a time.
func newHasher(atOnce int) *hasher {
	return &hasher{cost: standard, places: make(chan struct{}, atOnce)}
}

// needsRehash tells whether a PHC string was made at another cost than that of new ones:
// it is to be replaced as soon as its password is known, when somebody signs in.
func (h *hasher) needsRehash(encoded string) bool {
	return !strings.HasPrefix(encoded, h.cost.String())
}

// decoy is verified when there is no such account, so that both answers cost the same
// work: a salt and a key that no password makes.
func (h *hasher) decoy() string { return h.encode(make([]byte, 16), make([]byte, keyLength)) }

// encode is the PHC string of a key.
func (h *hasher) encode(salt, key []byte) string {
	b64 := base64.RawStdEncoding.EncodeToString
	return h.cost.String() + b64(salt) + "$" + b64(key)
}

// hash is the PHC string of a password under a fresh salt.
//
// Errors: lms.ErrUnavailable when ctx ends before there is a free place.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	return h.hashWith(ctx, password, newSalt())
}

func newSalt() []byte {
	salt := make([]byte, 16)
	rand.Read(salt)
	return salt
}

func (h *hasher) hashWith(ctx context.Context, password string, salt []byte) (string, error) {
	key, err := h.derive(ctx, password, salt, h.cost)
	if err != nil {
		return "", err
	}
	return h.encode(salt, key), nil
}

// verify tells whether the password made the PHC string.
//
// Errors: lms.ErrUnavailable when ctx ends before there is a free place.
func (h *hasher) verify(ctx context.Context, encoded, password string) (bool, error) {
	var version int
	var c cost
	var rest string
	if _, err := fmt.Sscanf(encoded, "$argon2id$v=%d$m=%d,t=%d,p=%d$%s", &version, &c.memoryKiB, &c.passes, &c.lanes, &rest); err != nil || version != argon2.Version || c.passes < 1 || c.lanes < 1 {
		return false, fmt.Errorf("password hash: not argon2id version %d", argon2.Version)
	}
	salt, key, err := splitPHC(rest)
	if err != nil {
		return false, err
	}
	derived, err := h.derive(ctx, password, salt, c)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(derived, key) == 1, nil
}

// find is the PHC string, of several under one salt, that a password made; "" if none.
//
// Errors: lms.ErrUnavailable when ctx ends before there is a free place.
func (h *hasher) find(ctx context.Context, encoded []string, password string) (match string, err error) {
	if len(encoded) == 0 {
		_, err := h.verify(ctx, h.decoy(), password)
		return "", err
	}
	salt, _, err := splitPHC(strings.TrimPrefix(encoded[0], h.cost.String()))
	if err != nil {
		return "", err
	}
	want, err := h.hashWith(ctx, password, salt)
	if err != nil {
		return "", err
	}
	for _, e := range encoded {
		if subtle.ConstantTimeCompare([]byte(e), []byte(want)) == 1 {
			match = e
		}
	}
	return match, nil
}

func splitPHC(rest string) (salt, key []byte, err error) {
	s, k, ok := strings.Cut(rest, "$")
	if !ok {
		return nil, nil, errors.New("password hash: no key")
	}
	if salt, err = base64.RawStdEncoding.DecodeString(s); err != nil {
		return nil, nil, fmt.Errorf("password hash: salt: %w", err)
	}
	if key, err = base64.RawStdEncoding.DecodeString(k); err != nil {
		return nil, nil, fmt.Errorf("password hash: key: %w", err)
	}
	return salt, key, nil
}

func (h *hasher) derive(ctx context.Context, password string, salt []byte, c cost) ([]byte, error) {
	select {
	case h.places <- struct{}{}:
		defer func() { <-h.places }()
	case <-ctx.Done():
		return nil, lms.ErrUnavailable.Because(ctx.Err())
	}
	h.derived.Add(1)
	return argon2.IDKey([]byte(normal(password)), salt, c.passes, c.memoryKiB, c.lanes, keyLength), nil
}
