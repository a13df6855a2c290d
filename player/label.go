package player

import (
	"fmt"
	"io"
)

func (s *Service) random(n int) ([]byte, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(s.Random, b); err != nil {
		return nil, fmt.Errorf("random bytes: %w", err)
	}
	return b, nil
}

// freshLabel is the name of a new content host: a DNS label of more than 128 random bits.
func (s *Service) freshLabel() (string, error) {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	b, err := s.random(26)
	if err != nil {
		return "", err
	}
	for i := range b {
		n := byte(len(letters))
		if i == 0 {
			n = 26 // a host name begins with a letter
		}
		b[i] = letters[b[i]%n]
	}
	return string(b), nil
}
