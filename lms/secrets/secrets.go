// Package secrets seals what the database must keep but whoever reads the database
// must not: the seeds of authenticators, letters that carry one-time links. It knows
// neither where keys come from nor where sealed values are stored. Start at Parse.
package secrets

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"
)

var (
	// ErrUnknownKey means that a value was sealed under a key that the ring lacks.
	ErrUnknownKey = errors.New("sealed under a key that is not among the data keys")
	// ErrNotSealed means that a value was sealed for another context, was changed
	// since, or was never sealed.
	ErrNotSealed = errors.New("not sealed for this context, or changed since")
)

// Keyring seals under its first key and opens under each. It is safe for use by
// several goroutines.
type Keyring struct {
	first string
	keys  map[string]cipher.AEAD // by id
}

var keyID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)

// Parse reads keys written as "id:base64", 32 bytes each. To rotate, put a fresh key
// before the others, and take an old one away once nothing is sealed under it. No
// error quotes a key.
func Parse(entries []string) (*Keyring, error) {
	if len(entries) == 0 {
		return nil, errors.New("data keys: there is none")
	}
	k := &Keyring{keys: map[string]cipher.AEAD{}}
	for i, entry := range entries {
		id, text, ok := strings.Cut(strings.TrimSpace(entry), ":")
		if !ok || !keyID.MatchString(id) {
			return nil, fmt.Errorf("data key %d: want id:base64, the id of 1 to 32 letters, digits, - or _", i+1)
		}
		if k.keys[id] != nil {
			return nil, fmt.Errorf("data key %s is there twice", id)
		}
		key, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, fmt.Errorf("data key %s is not base64", id)
		}
		if len(key) != chacha20poly1305.KeySize {
			return nil, fmt.Errorf("data key %s has %d bytes, want %d", id, len(key), chacha20poly1305.KeySize)
		}
		if k.keys[id], err = chacha20poly1305.NewX(key); err != nil {
			return nil, fmt.Errorf("data key %s: %w", id, err)
		}
		if i == 0 {
			k.first = id
		}
	}
	return k, nil
}

// NewKey is a fresh entry for Parse.
func NewKey() string {
	key := make([]byte, chacha20poly1305.KeySize)
	rand.Read(key)
	return strings.ToLower(rand.Text()[:8]) + ":" + base64.StdEncoding.EncodeToString(key)
}

// A sealed value is a header (format, length of the key's id, the id), a nonce, and
// what XChaCha20-Poly1305 makes of the plain bytes. Header and context are
// authenticated with them. Nonces of 24 random bytes never meet.
const format = 1

func header(id string) []byte { return append([]byte{format, byte(len(id))}, id...) }

// Seal encrypts under the first key. Only Open with the same context, such as
// "authenticator/12", gives the bytes back: a value does not fit into another row.
func (k *Keyring) Seal(plain []byte, context string) []byte {
	head := header(k.first)
	nonce := make([]byte, chacha20poly1305.NonceSizeX)
	rand.Read(nonce)
	return k.keys[k.first].Seal(append(head, nonce...), nonce, plain, append(head, context...))
}

// Open gives back what was sealed for the context.
//
// Errors: ErrUnknownKey, ErrNotSealed.
func (k *Keyring) Open(sealed []byte, context string) ([]byte, error) {
	id, rest, ok := split(sealed)
	if !ok {
		return nil, ErrNotSealed
	}
	key, ok := k.keys[id]
	if !ok {
		return nil, ErrUnknownKey
	}
	nonce, secret := rest[:chacha20poly1305.NonceSizeX], rest[chacha20poly1305.NonceSizeX:]
	plain, err := key.Open(nil, nonce, secret, append(header(id), context...))
	if err != nil {
		return nil, ErrNotSealed
	}
	return plain, nil
}

// NeedsReseal tells whether a value is sealed under another key than the first, so
// that sealing it anew lets the old key go.
func (k *Keyring) NeedsReseal(sealed []byte) bool {
	id, _, ok := split(sealed)
	return ok && id != k.first
}

// split reads the header; rest holds a whole nonce.
func split(sealed []byte) (id string, rest []byte, ok bool) {
	if len(sealed) < 2 || sealed[0] != format {
		return "", nil, false
	}
	end := 2 + int(sealed[1])
	if len(sealed) < end+chacha20poly1305.NonceSizeX {
		return "", nil, false
	}
	return string(sealed[2:end]), sealed[end:], true
}
