// Package archtest keeps the rules of the architecture that a compiler does not: who may import whom,
// and where SQL may stand. It has no code of its own; start reading at forbidden.
package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "mopd"

var (
	features = []string{"lms/accounts", "lms/enrollments", "courses", "player", "payments", "registry"}
	leaves   = []string{"static", "migrations"}
)

// forbidden says why a package may not import another, or "" when it may. Paths of the product's own
// packages come without the module; inTest tells an import that only a _test.go file has.
func forbidden(from, to string, inTest bool) string {
	own, isOwn := strings.CutPrefix(to, module+"/")
	switch {
	case strings.HasPrefix(to, "github.com/versity/"):
		if within(from, "cmd/demo") {
			return ""
		}
		return "only cmd/demo holds the embedded object store"
	case strings.HasPrefix(to, "github.com/emersion/"):
		if within(from, "cmd") || inTest {
			return ""
		}
		return "the product sends mail and takes none: only cmd and the tests hold a mail server"
	case strings.HasPrefix(to, "github.com/chromedp/"):
		if within(from, "cmd") || from == "lms/pdf" || from == "lms/lmstest" || inTest {
			return ""
		}
		return "only lms/pdf drives a browser"
	case from == "lms" && !inTest && (isOwn || !standard(to)):
		return "the kernel uses the standard library alone"
	case !isOwn:
		return ""
	case own == "lms/lmstest" && !inTest && !within(from, "lms/lmstest") && !within(from, "cmd/internal"):
		return "the product does not import the tests' helpers"
	case within(from, "cmd"):
		return ""
	case within(own, "cmd"):
		return "only cmd imports cmd"
	case inTest && within(own, "lms/lmstest") || inTest && within(own, "lms/pg/pglocal"):
		return ""
	case own == "lms/web" && (from == "lms/mail" || from == "lms/secrets"):
		return "what is sent and sealed knows no pages"
	case slices.Contains(leaves, from):
		return "static and migrations are leaves"
	}

	fromFeature, toFeature := featureOf(from), featureOf(own)
	switch {
	case fromFeature != "" && toFeature != "" && fromFeature != toFeature:
		return "features never import each other: declare the interface that is needed"
	case fromFeature == "" && toFeature != "":
		return "only cmd imports features"
	case own == "migrations" && from != "lms/lmstest":
		return "only cmd and the tests' helpers migrate"
	}
	return ""
}

func featureOf(pkg string) string {
	for _, f := range features {
		if within(pkg, f) {
			return f
		}
	}
	return ""
}

func within(pkg, root string) bool { return pkg == root || strings.HasPrefix(pkg, root+"/") }

func standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".") && first != module
}

type goPackage struct {
	ImportPath   string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

func (p goPackage) name() string { return strings.TrimPrefix(p.ImportPath, module+"/") }

func packages(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e",
		"-json=ImportPath,Imports,TestImports,XTestImports", module+"/...")
	out, err := cmd.Output()
	require.NoError(t, err)
	var all []goPackage
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err)
		all = append(all, p)
	}
}

func TestPackagesImportOnlyWhatTheyMay(t *testing.T) {
	t.Parallel()
	all := packages(t)
	require.Greater(t, len(all), 5)
	for _, p := range all {
		check := func(imports []string, inTest bool) {
			for _, to := range imports {
				if reason := forbidden(p.name(), to, inTest); reason != "" {
					t.Errorf("%s imports %s: %s", p.name(), to, reason)
				}
			}
		}
		check(p.Imports, false)
		check(p.TestImports, true)
		check(p.XTestImports, true)
	}
}

func TestTheImportRulesCatchWhatTheyName(t *testing.T) {
	t.Parallel()
	cases := []struct {
		from, to string
		inTest   bool
		allowed  bool
	}{
		{"courses", "mopd/player", false, false},
		{"player/scorm", "mopd/payments", false, false},
		{"courses", "mopd/player", true, false},
		{"payments", "mopd/payments/stripesim", true, true},
		{"player", "mopd/player/scorm", false, true},
		{"player", "mopd/lms/web", false, true},
		{"lms/accounts", "mopd/lms/enrollments", false, false},
		{"lms", "time", false, true},
		{"lms", "github.com/jackc/pgx/v5", false, false},
		{"lms", "mopd/lms/pg", false, false},
		{"lms", "mopd/lms/lmstest", true, true},
		{"lms/web", "mopd/lms", false, true},
		{"lms/web", "mopd/static", false, true},
		{"lms/web", "mopd/lms/accounts", false, false},
		{"lms/jobs", "mopd/lms/pg", false, true},
		{"lms/lmstest", "mopd/registry", false, false},
		{"lms/lmstest", "mopd/migrations", false, true},
		{"registry", "mopd/lms/lmstest", false, false},
		{"registry", "mopd/lms/lmstest", true, true},
		{"migrations", "mopd/lms", false, false},
		{"migrations", "mopd/lms/pg/pglocal", true, true},
		{"static", "mopd/lms", false, false},
		{"courses", "mopd/cmd/internal/app", true, false},
		{"cmd/internal/app", "mopd/courses", false, true},
		{"cmd/demo", "github.com/versity/versitygw/embedgw", false, true},
		{"cmd/lms", "github.com/versity/versitygw/embedgw", false, false},
		{"lms/blob", "github.com/versity/versitygw/s3err", true, false},
		{"cmd/internal/mailbox", "github.com/emersion/go-smtp", false, true},
		{"lms/mail", "github.com/emersion/go-smtp", true, true},
		{"lms/mail", "github.com/emersion/go-smtp", false, false},
		{"lms/pdf", "github.com/chromedp/chromedp", false, true},
		{"registry", "github.com/chromedp/chromedp", false, false},
		{"lms/mail", "mopd/lms/secrets", false, true},
		{"lms/mail", "mopd/lms/web", false, false},
		{"lms/mail", "mopd/lms/accounts", false, false},
	}
	for _, c := range cases {
		reason := forbidden(c.from, c.to, c.inTest)
		require.Equal(t, c.allowed, reason == "", "%s -> %s (test: %v): %q", c.from, c.to, c.inTest, reason)
	}
}

// statement matches a string that is SQL. Sentences that begin with the same word ("Select a course")
// are not written in capitals and lack the statement's second keyword.
var statement = regexp.MustCompile(`^\s*(?:(?:SELECT|INSERT|UPDATE|DELETE|WITH)\s` +
	`|(?is:select\s.+\sfrom\s|insert\s+into\s|update\s+[\w."]+\s+set\s|delete\s+from\s|with\s+(?:recursive\s+)?\w+\s+as\s*(?:materialized\s*)?\())`)

// mayHoldSQL takes the path of a file from the module's root.
func mayHoldSQL(file string) bool {
	pkg := filepath.ToSlash(filepath.Dir(file))
	for _, root := range []string{"lms/pg", "lms/lmstest", "migrations"} {
		if within(pkg, root) {
			return true
		}
	}
	return strings.HasPrefix(filepath.Base(file), "store") || strings.HasSuffix(file, "_test.go")
}

func TestSQLStandsInStoresOnly(t *testing.T) {
	t.Parallel()
	root := moduleRoot(t)
	seen := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || d.Name() == "testdata" || path != root && strings.HasPrefix(d.Name(), ".")) {
			return filepath.SkipDir
		}
		file, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if d.IsDir() || filepath.Ext(file) != ".go" || mayHoldSQL(file) {
			return nil
		}
		seen++
		for _, found := range sqlIn(t, path) {
			t.Errorf("%s: SQL stands only in store*.go, lms/pg, lms/lmstest and migrations", found)
		}
		return nil
	})
	require.NoError(t, err)
	require.Positive(t, seen)
}

func sqlIn(t *testing.T, path string) (positions []string) {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
	require.NoError(t, err)
	ast.Inspect(file, func(n ast.Node) bool {
		literal, ok := n.(*ast.BasicLit)
		if !ok || literal.Kind != token.STRING {
			return true
		}
		text, err := strconv.Unquote(literal.Value)
		require.NoError(t, err)
		if statement.MatchString(text) {
			positions = append(positions, fmt.Sprint(set.Position(literal.Pos())))
		}
		return true
	})
	return positions
}

func moduleRoot(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}").Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(out))
}

func TestSQLIsToldFromSentences(t *testing.T) {
	t.Parallel()
	for _, sql := range []string{
		"SELECT 1", "\n\t\tSELECT id\nFROM x", "select id from people", "INSERT INTO x VALUES (1)", "insert into x values (1)",
		"UPDATE x SET y = 1", "update lms.people set name = $1", "DELETE FROM x", "delete from x",
		"WITH a AS (SELECT 1) SELECT 2", "with a as (select 1) select 2", "with recursive a as (",
	} {
		require.True(t, statement.MatchString(sql), sql)
	}
	for _, sentence := range []string{
		"Select a course", "Select courses", "update person: %w", "Update your name", "delete object", "With your account",
		"with the same key", "insert: %w", "SELECTED", "selected from",
	} {
		require.False(t, statement.MatchString(sentence), sentence)
	}
}
