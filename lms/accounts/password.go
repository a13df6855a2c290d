package accounts

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Parameters of argon2id for new hashes (OWASP Password Storage Cheat Sheet:
// 19 MiB, 2 passes, 1 lane). Each hash carries its own.
const (
	memoryKiB = 19 * 1024
	passes    = 2
	lanes     = 1
	keyLength = 32
)

// hashing bounds how many hashes are computed at once: each takes its memory.
var hashing = make(chan struct{}, 2*runtime.NumCPU())

// hashPassword is the PHC string of a password under a fresh salt.
func hashPassword(password string) string {
	salt := make([]byte, 16)
	rand.Read(salt)
	return phc(salt, derive(password, salt, passes, memoryKiB, lanes))
}

func phc(salt, key []byte) string {
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, memoryKiB, passes, lanes, b64(salt), b64(key))
}

func derive(password string, salt []byte, t, m uint32, p uint8) []byte {
	hashing <- struct{}{}
	defer func() { <-hashing }()
	return argon2.IDKey([]byte(password), salt, t, m, p, keyLength)
}

// decoy is verified when there is no such account, so that both answers cost the
// same work.
var decoy = hashPassword("nobody has this password")

// verifyPassword tells whether the password made the PHC string.
func verifyPassword(encoded, password string) (bool, error) {
	var version int
	var m, t uint32
	var p uint8
	var rest string
	if _, err := fmt.Sscanf(encoded, "$argon2id$v=%d$m=%d,t=%d,p=%d$%s", &version, &m, &t, &p, &rest); err != nil || version != argon2.Version {
		return false, fmt.Errorf("password hash: not argon2id version %d", argon2.Version)
	}
	salt, key, err := splitPHC(rest)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(derive(password, salt, t, m, p), key) == 1, nil
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
