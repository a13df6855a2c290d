package pg_test

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mopd/lms/lmstest"
)

// statement is one that a store can send, and where it stands.
type statement struct{ at, sql string }

// Each statement of a store is sent to the migrated database to be prepared, so that a
// misspelled column is found without running it. The demo's own databases are not the
// schema's: cmd is left out.
func TestEveryStatementFitsTheSchema(t *testing.T) {
	t.Parallel()
	found, unread := statementsUnder(t, "../..")
	require.Empty(t, unread, "SQL that is put together at run time cannot be checked here")
	require.Greater(t, len(found), 60)
	conn, err := lmstest.DB(t).Acquire(t.Context())
	require.NoError(t, err)
	defer conn.Release()
	for _, s := range found {
		if _, err := conn.Conn().PgConn().Prepare(t.Context(), "", s.sql, nil); err != nil {
			t.Errorf("%s: %v\n%s", s.at, err, s.sql)
		}
	}
}

func statementsUnder(t *testing.T, root string) (found []statement, unread []string) {
	t.Helper()
	stores := map[string]bool{} // directories
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && slices.Contains([]string{"node_modules", "cmd", "lmstest", ".git", "testdata"}, d.Name()) {
			return filepath.SkipDir
		}
		if isStore(path) {
			stores[filepath.Dir(path)] = true
		}
		return nil
	}))
	for dir := range stores {
		f, u := statementsIn(t, dir)
		found, unread = append(found, f...), append(unread, u...)
	}
	return found, unread
}

func isStore(path string) bool {
	base := filepath.Base(path)
	return strings.HasPrefix(base, "store") && strings.HasSuffix(base, ".go") && !strings.HasSuffix(base, "_test.go")
}

func statementsIn(t *testing.T, dir string) (found []statement, unread []string) {
	t.Helper()
	set := token.NewFileSet()
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	var files []*ast.File
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		files = append(files, file)
	}
	return readStatements(set, files)
}

// constants are the values of the package's constant expressions. Imports stay
// unresolved, which leaves the values of strings intact.
func constants(set *token.FileSet, files []*ast.File) map[ast.Expr]types.TypeAndValue {
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
	config := types.Config{Error: func(error) {}, Importer: nothing{}}
	if _, err := config.Check("store", set, files, info); err == nil {
		panic("a store that imports nothing talks to no database")
	}
	return info.Types
}

type nothing struct{}

func (nothing) Import(string) (*types.Package, error) { return nil, fs.ErrNotExist }

func readStatements(set *token.FileSet, files []*ast.File) (found []statement, unread []string) {
	values := constants(set, files)
	text := func(e ast.Expr) (string, bool) {
		if v := values[e].Value; v != nil && v.Kind() == constant.String {
			return constant.StringVal(v), true
		}
		return "", false
	}
	for _, file := range files {
		if !isStore(set.Position(file.Pos()).Filename) {
			continue
		}
		ast.Inspect(file, func(n ast.Node) bool {
			at := func(e ast.Node) string { return fmt.Sprint(set.Position(e.Pos())) }
			if call, ok := n.(*ast.CallExpr); ok {
				if sql, ok := sqlOf(call); ok {
					_, constant := text(sql)
					if name, isName := sql.(*ast.Ident); !constant && !(isName && name.Name == "sql") { // a helper's parameter: its callers are read
						unread = append(unread, at(sql))
					}
				}
				if copied, ok := copyOf(call); ok {
					found = append(found, statement{at(call), copied})
				}
			}
			e, ok := n.(ast.Expr)
			if !ok {
				return true
			}
			sql, constant := text(e)
			if constant && verb.MatchString(sql) {
				found = append(found, statement{at(e), sql})
			}
			return !constant // the parts of a statement are none
		})
	}
	return found, unread
}

var verb = regexp.MustCompile(`^\s*(SELECT|INSERT|UPDATE|DELETE|WITH|LOCK)\s`)

// sqlOf is the argument of a call that is sent to Postgres.
func sqlOf(call *ast.CallExpr) (ast.Expr, bool) {
	called := call.Fun
	if typed, ok := called.(*ast.IndexExpr); ok {
		called = typed.X
	}
	method, ok := called.(*ast.SelectorExpr)
	if !ok {
		return nil, false
	}
	place, ok := map[string]int{"Query": 1, "QueryRow": 1, "Exec": 1, "Prepare": 2, "Queue": 0}[method.Sel.Name]
	if pkg, isName := method.X.(*ast.Ident); isName && pkg.Name == "pg" {
		place, ok = map[string]int{"Row": 3, "Rows": 3, "Value": 3, "Values": 3, "Exec": 3, "Changed": 3}[method.Sel.Name]
	}
	if !ok || len(call.Args) <= place {
		return nil, false
	}
	return call.Args[place], true
}

// copyOf is what a CopyFrom writes, as a statement that names the same columns.
func copyOf(call *ast.CallExpr) (string, bool) {
	method, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || method.Sel.Name != "CopyFrom" {
		return "", false
	}
	return "SELECT " + strings.Join(words(call.Args[2]), ", ") + " FROM " + strings.Join(words(call.Args[1]), "."), true
}

func words(e ast.Expr) (out []string) {
	ast.Inspect(e, func(n ast.Node) bool {
		if literal, ok := n.(*ast.BasicLit); ok {
			if s, err := strconv.Unquote(literal.Value); err == nil {
				out = append(out, s)
			}
		}
		return true
	})
	return out
}

func TestStatementsAreFoundHoweverTheyAreWritten(t *testing.T) {
	t.Parallel()
	const source = `package store
		import "context"
		const columns = "id, " + name
		const name = "given"
		func list(ctx context.Context, db querier) { db.Query(ctx, "SELECT " + columns + " FROM people WHERE id = $1", 1) }
		func helped(ctx context.Context) { exec(ctx, "delete", "DELETE FROM people") }
		func exec(ctx context.Context, what, sql string) { db.Exec(ctx, sql) }
		func copied(ctx context.Context) { db.CopyFrom(ctx, pgx.Identifier{"a", "b"}, []string{"c", "d"}, rows) }
		func filtered(ctx context.Context, where string) { db.QueryRow(ctx, "SELECT 1 WHERE " + where) }
		func read(ctx context.Context, where string) { pg.Row[person](ctx, db, "person", "SELECT 2 WHERE " + where) }
		func wrote(ctx context.Context) { pg.Exec(ctx, tx, "delete", "DELETE FROM names") }
		func titled() string { return "Select a course" }`
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, "store.go", source, parser.SkipObjectResolution)
	require.NoError(t, err)
	found, unread := readStatements(set, []*ast.File{file})
	var sql []string
	for _, s := range found {
		sql = append(sql, s.sql)
	}
	require.Equal(t, []string{"SELECT id, given FROM people WHERE id = $1", "DELETE FROM people", "SELECT c, d FROM a.b", "SELECT 1 WHERE ", "SELECT 2 WHERE ", "DELETE FROM names"}, sql)
	require.Equal(t, []string{"store.go:9:71", "store.go:10:84"}, unread)
}
