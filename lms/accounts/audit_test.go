package accounts

import (
	"encoding/csv"
	"fmt"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
)

// wrote adds lines to the audit trail.
func (w *world) wrote(entries ...lms.AuditEntry) {
	w.t.Helper()
	require.NoError(w.t, w.inTx(func(tx pgx.Tx) error {
		for _, e := range entries {
			if e.At.IsZero() {
				e.At = lmstest.Now
			}
			if err := w.Audit(w.t.Context(), tx, e); err != nil {
				return err
			}
		}
		return nil
	}))
}

func TestTheTrailIsSearchedByPersonActionAndDays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rita, maya := w.person("Rita", "Registrar", lms.Registrar), w.person("Maya", "Rivera")
	lastMinute := lmstest.Today.End().Add(-time.Second)
	w.wrote(
		lms.AuditEntry{Actor: maya.ID, Action: "signed_in", Subject: maya.ID},
		lms.AuditEntry{Actor: rita.ID, Action: "record_viewed", Subject: maya.ID, At: lastMinute},
		lms.AuditEntry{Actor: rita.ID, Action: "signed_in", Subject: rita.ID, At: lmstest.Today.End()},
		lms.AuditEntry{Action: "credit_credited", Subject: maya.ID, Object: "credit/1", At: lmstest.Today.End()},
	)
	for name, c := range map[string]struct {
		filter AuditFilter
		want   []string
	}{
		"all":              {AuditFilter{}, []string{"credit_credited", "signed_in", "record_viewed", "signed_in"}},
		"by or about":      {AuditFilter{Person: maya.ID}, []string{"credit_credited", "record_viewed", "signed_in"}},
		"did and suffered": {AuditFilter{Person: rita.ID}, []string{"signed_in", "record_viewed"}},
		"about":            {AuditFilter{Subject: rita.ID}, []string{"signed_in"}},
		"action":           {AuditFilter{Action: "signed_in"}, []string{"signed_in", "signed_in"}},
		"through a day":    {AuditFilter{To: lmstest.Today}, []string{"record_viewed", "signed_in"}},
		"from a day":       {AuditFilter{From: lmstest.Today.AddDays(1)}, []string{"credit_credited", "signed_in"}},
		"one day":          {AuditFilter{From: lmstest.Today, To: lmstest.Today, Action: "signed_in"}, []string{"signed_in"}},
		"another day":      {AuditFilter{From: lmstest.Today.AddDays(9)}, nil},
	} {
		lines, older, err := w.Trail(t.Context(), c.filter)
		require.NoError(t, err, name)
		require.Zero(t, older, name)
		var actions []string
		for _, l := range lines {
			actions = append(actions, l.Action)
		}
		require.Equal(t, c.want, actions, name)
	}
	for _, typed := range []string{fmt.Sprint(int(maya.MOPDID)), " " + strings.ToUpper(maya.Email)} {
		id, err := w.PersonBy(t.Context(), typed)
		require.NoError(t, err)
		require.Equal(t, maya.ID, id)
	}
	for _, typed := range []string{"", "999999999", "Maya", "nobody@example.org"} {
		_, err := w.PersonBy(t.Context(), typed)
		require.ErrorIs(t, err, lms.ErrNotFound, typed)
	}
}

func TestTheTrailNamesWhoDidWhatToWhoseRecord(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rita, maya := w.person("Rita", "Registrar", lms.Registrar), w.person("Maya", "Rivera")
	w.wrote(lms.AuditEntry{Action: "credit_held", Subject: maya.ID}, lms.AuditEntry{Actor: rita.ID, Action: "record_viewed", Subject: maya.ID, Object: "x/1", Note: "why", From: desk.From})
	lines, _, err := w.Trail(t.Context(), AuditFilter{})
	require.NoError(t, err)
	got := lines[0]
	require.True(t, lmstest.Now.Equal(got.At))
	got.At, got.ID = time.Time{}, 0
	require.Equal(t, AuditLine{
		Action: "record_viewed", Object: "x/1", Note: "why", Origin: desk.From,
		Actor: rita.ID, ActorName: rita.Name(), ActorMOPDID: rita.MOPDID, ActorRoles: []lms.Role{lms.Registrar},
		Subject: maya.ID, SubjectName: maya.Name(), SubjectMOPDID: maya.MOPDID,
	}, got)
	require.Zero(t, lines[1].Actor)
	require.Empty(t, lines[1].ActorName)
}

func TestALongTrailComesInPagesWithoutGaps(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.person("Maya", "Rivera")
	for range linesPerPage + 3 {
		w.wrote(lms.AuditEntry{Actor: p.ID, Action: "signed_in", Subject: p.ID})
	}
	first, older, err := w.Trail(t.Context(), AuditFilter{Person: p.ID})
	require.NoError(t, err)
	require.Len(t, first, linesPerPage)
	w.wrote(lms.AuditEntry{Actor: p.ID, Action: "signed_out", Subject: p.ID}) // moves nothing
	rest, none, err := w.Trail(t.Context(), AuditFilter{Person: p.ID, Before: older})
	require.NoError(t, err)
	require.Len(t, rest, 3)
	require.Zero(t, none)
	require.Less(t, rest[0].ID, first[linesPerPage-1].ID)
}

// table reads an export.
func (w *world) table(f AuditFilter, lang string) [][]string {
	w.t.Helper()
	admin := at(w.person("Ada", "Admin", lms.Administrator))
	r, err := w.ExportTrail(w.t.Context(), admin, f, lang, "action=x", desk.From, lmstest.Now)
	require.NoError(w.t, err)
	rows, err := csv.NewReader(r).ReadAll()
	require.NoError(w.t, err)
	require.NoError(w.t, r.Close())
	return rows
}

func TestAnExportHasEveryLineAndIsWrittenDownItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.person("Maya", "Rivera")
	_, err := w.db.Exec(t.Context(), `INSERT INTO accounts.audit (at, actor, action, subject, object, origin)
		SELECT $1, $2, 'signed_in', $2, 'n/' || n, '' FROM generate_series(1, $3) n`, lmstest.Now, p.ID, 2*exportStep+1)
	require.NoError(t, err)
	rows := w.table(AuditFilter{Action: "signed_in"}, "es")
	require.Len(t, rows, 1+2*exportStep+1)
	require.Equal(t, "\ufeffCuándo", rows[0][0])
	require.Equal(t, []string{"2026-03-16T10:00:00-05:00", "Maya Rivera", fmt.Sprint(int(p.MOPDID)), "Inició sesión", "signed_in", "Maya Rivera", fmt.Sprint(int(p.MOPDID)), "n/1", "", ""}, rows[len(rows)-1])
	for i, row := range rows[1:] {
		require.Equal(t, fmt.Sprintf("n/%d", 2*exportStep+1-i), row[7])
	}
	require.Equal(t, 1, w.count(`SELECT count(*) FROM accounts.audit WHERE action = 'audit_exported' AND note = 'action=x' AND origin = $1`, desk.From))
}

func TestAnExportThatBreaksOffDoesNotLookWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r, err := w.ExportTrail(t.Context(), at(w.person("Ada", "Admin", lms.Administrator)), AuditFilter{}, "en", "", desk.From, lmstest.Now)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	_, err = io.ReadAll(r)
	require.Error(t, err)
}

func TestASpreadsheetRunsNothingFromAnExport(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.person(`=HYPERLINK("http://evil.example","x")`, "R")
	w.wrote(lms.AuditEntry{Actor: p.ID, Action: "name_corrected", Subject: p.ID, Object: "@x", Note: "+a, \"b\"\nc", From: "-"})
	for _, cell := range w.table(AuditFilter{Person: p.ID}, "en")[1] {
		require.NotContains(t, "=+-@\t\r", cell[:1], cell)
	}
}

func TestPeopleSeeWhoLookedAtTheirRecord(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rita, maya := w.person("Rita", "Registrar", lms.Registrar), w.person("Maya", "Rivera")
	looks, _, err := w.Looks(t.Context(), maya.ID, 0)
	require.NoError(t, err)
	require.Empty(t, looks)
	w.wrote(
		lms.AuditEntry{Actor: maya.ID, Action: "signed_in", Subject: maya.ID},
		lms.AuditEntry{Action: "credit_credited", Subject: maya.ID},
		lms.AuditEntry{Actor: maya.ID, Action: "record_viewed", Subject: rita.ID},
	)
	_, err = w.LookAt(t.Context(), at(rita), maya.ID, desk.From, lmstest.Now)
	require.NoError(t, err)
	for range looksPerPage {
		w.wrote(lms.AuditEntry{Actor: rita.ID, Action: "roles_changed", Subject: maya.ID})
	}
	first, older, err := w.Looks(t.Context(), maya.ID, 0)
	require.NoError(t, err)
	require.Len(t, first, looksPerPage)
	rest, none, err := w.Looks(t.Context(), maya.ID, older)
	require.NoError(t, err)
	require.Zero(t, none)
	require.Len(t, rest, 1, "neither what they did themselves nor what the system did")
	require.Equal(t, "record_viewed", rest[0].Action)
	require.Equal(t, "Rita Registrar", rest[0].ActorName)
}

func TestAnActionWithoutWordsIsShownAsItIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	require.Equal(t, "Signed in", w.ActionText("en", "signed_in"))
	require.Equal(t, "Inició sesión", w.ActionText("es", "signed_in"))
	require.Equal(t, "version.published", w.ActionText("es", "version.published"), "of an older program")
	require.Contains(t, w.Actions(), "audit_exported")
}

func TestEveryActionInTheCodeHasWords(t *testing.T) {
	t.Parallel()
	w, found := newWorld(t), actionsInCode(t, "../..")
	require.Greater(t, len(found), 20)
	for code, at := range found {
		prefix, built := strings.CutSuffix(code, "*")
		has := w.Words.Has(actionWords + code)
		if built {
			has = slices.ContainsFunc(w.Actions(), func(known string) bool { return strings.HasPrefix(known, prefix) })
		}
		require.True(t, has, "%s: no message %s%s", at, actionWords, code)
		require.NotContains(t, prefix, " ", at)
		require.Equal(t, strings.ToLower(prefix), prefix, at)
		require.NotContains(t, prefix, ".", at)
	}
}

// actionsInCode are the actions of all audit entries and where they stand, those that
// are built from a beginning with "*" for the rest. An action that is handed on is
// looked for where it comes from.
func actionsInCode(t *testing.T, root string) map[string]string {
	t.Helper()
	found := map[string]string{}
	packages := map[string][]*ast.File{}
	set := gotoken.NewFileSet()
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && slices.Contains([]string{"node_modules", ".git", "testdata"}, d.Name()) {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		packages[filepath.Dir(path)] = append(packages[filepath.Dir(path)], file)
		return err
	}))
	for _, files := range packages {
		s := sources{set, files, found, map[string]bool{}}
		s.each(func(in *ast.FuncDecl, n ast.Node) {
			switch n := n.(type) {
			case *ast.CompositeLit:
				if name, ok := n.Type.(*ast.SelectorExpr); ok && name.Sel.Name == "AuditEntry" {
					for _, e := range n.Elts {
						if pair, ok := e.(*ast.KeyValueExpr); ok && pair.Key.(*ast.Ident).Name == "Action" {
							s.add(in, pair.Value)
						}
					}
				}
			case *ast.AssignStmt: // entry.Action, entry.Note = …
				for i, to := range n.Lhs {
					if field, ok := to.(*ast.SelectorExpr); ok && field.Sel.Name == "Action" && len(n.Rhs) == len(n.Lhs) {
						s.add(in, n.Rhs[i])
					}
				}
			}
		})
	}
	return found
}

// sources are the files of one package.
type sources struct {
	set   *gotoken.FileSet
	files []*ast.File
	found map[string]string
	asked map[string]bool // parameters that were followed already
}

func (s sources) each(visit func(in *ast.FuncDecl, n ast.Node)) {
	for _, file := range s.files {
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok {
				ast.Inspect(f, func(n ast.Node) bool {
					visit(f, n)
					return true
				})
			}
		}
	}
}

// add notes the actions that an expression in a function can be.
func (s sources) add(in *ast.FuncDecl, e ast.Expr) {
	switch e := e.(type) {
	case *ast.BasicLit:
		code, err := strconv.Unquote(e.Value)
		if err == nil {
			s.found[code] = s.set.Position(e.Pos()).String()
		}
	case *ast.BinaryExpr:
		if begin, ok := e.X.(*ast.BasicLit); ok {
			code, err := strconv.Unquote(begin.Value)
			if err == nil {
				s.found[code+"*"] = s.set.Position(e.Pos()).String()
			}
		}
	case *ast.Ident:
		s.addVariable(in, e.Name)
	}
}

func (s sources) addVariable(in *ast.FuncDecl, name string) {
	ast.Inspect(in, func(n ast.Node) bool {
		if a, ok := n.(*ast.AssignStmt); ok && len(a.Lhs) == len(a.Rhs) {
			for i, to := range a.Lhs {
				if v, ok := to.(*ast.Ident); ok && v.Name == name {
					s.add(in, a.Rhs[i])
				}
			}
		}
		return true
	})
	place := 0
	for _, list := range in.Type.Params.List {
		for _, p := range list.Names {
			if p.Name == name {
				s.addArguments(in.Name.Name, place)
			}
			place++
		}
	}
}

// addArguments notes what a function is called with at a place.
func (s sources) addArguments(function string, place int) {
	key := fmt.Sprint(function, place)
	if s.asked[key] {
		return
	}
	s.asked[key] = true
	s.each(func(in *ast.FuncDecl, n ast.Node) {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) <= place {
			return
		}
		called := ""
		switch f := call.Fun.(type) {
		case *ast.SelectorExpr:
			called = f.Sel.Name
		case *ast.Ident:
			called = f.Name
		}
		if called == function {
			s.add(in, call.Args[place])
		}
	})
}
