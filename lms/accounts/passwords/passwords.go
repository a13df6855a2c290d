// Package passwords knows the passwords that many people have, which are the first that an
// attacker tries (OWASP ASVS 5.0, 6.2.4). It knows nothing else of passwords: lms/accounts
// says which one a person may have. Start at Common.
//
// common.txt holds the passwords of the npm package @zxcvbn-ts/language-common 4.1.3
// (MIT, see LICENSE) that have eight characters or more: lower case, sorted, one a line.
package passwords

import (
	_ "embed"
	"slices"
	"strings"
	"sync"
)

//go:embed common.txt
var text string

var list = sync.OnceValue(func() []string { return strings.Fields(text) })

// Common tells whether a password of at least eight characters is one that many people
// have, whatever its case.
func Common(password string) bool {
	_, found := slices.BinarySearch(list(), strings.ToLower(password))
	return found
}
