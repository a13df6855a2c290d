package web

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/template/parse"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"mopd/lms/words"
)

// tree is what the repository's features show to people: their catalogs, their
// templates, and the strings in their code.
type tree struct {
	catalogs  map[string]map[string]map[string]string // folder -> language -> key -> text; plural forms joined
	templates map[string]string                       // file -> text
	code      map[string]*ast.File
	set       *token.FileSet
}

func readTree(t *testing.T) tree {
	t.Helper()
	tr := tree{map[string]map[string]map[string]string{}, map[string]string{}, map[string]*ast.File{}, token.NewFileSet()}
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && slices.Contains([]string{"node_modules", ".git", "testdata", "static", "cmd"}, d.Name()) {
			return filepath.SkipDir
		}
		name, err := filepath.Rel(root, path)
		require.NoError(t, err)
		folder := filepath.Dir(name)
		switch {
		case filepath.Base(folder) == "messages" && filepath.Ext(name) == ".json":
			feature := filepath.Dir(folder)
			if tr.catalogs[feature] == nil {
				tr.catalogs[feature] = map[string]map[string]string{}
			}
			tr.catalogs[feature][strings.TrimSuffix(d.Name(), ".json")] = readMessages(t, path)
		case filepath.Base(folder) == "templates" && filepath.Ext(name) == ".html":
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			tr.templates[name] = string(text)
		case filepath.Ext(name) == ".go" && !strings.HasSuffix(name, "_test.go"):
			tr.code[name], err = parser.ParseFile(tr.set, path, nil, parser.SkipObjectResolution)
			require.NoError(t, err)
		}
		return nil
	}))
	require.GreaterOrEqual(t, len(tr.catalogs), 4)
	return tr
}

func readMessages(t *testing.T, path string) map[string]string {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	var raw map[string]any
	require.NoError(t, json.Unmarshal(data, &raw), path)
	out := map[string]string{}
	for key, v := range raw {
		switch v := v.(type) {
		case string:
			require.NotEmpty(t, strings.TrimSpace(v), "%s: %s", path, key)
			out[key] = v
		case map[string]any:
			require.Equal(t, []string{"one", "other"}, slices.Sorted(maps.Keys(v)), "%s: %s", path, key)
			for _, form := range []string{"one", "other"} {
				require.NotEmpty(t, strings.TrimSpace(v[form].(string)), "%s: %s", path, key)
			}
			out[key] = v["one"].(string) + " " + v["other"].(string)
		default:
			t.Errorf("%s: %s is neither text nor plural forms", path, key)
		}
	}
	return out
}

var argument = regexp.MustCompile(`\{\{\s*\.(\w+)`)

// argumentsOf are the names of the values that a message is filled in with.
func argumentsOf(text string) []string {
	names := map[string]bool{}
	for _, m := range argument.FindAllStringSubmatch(text, -1) {
		names[m[1]] = true
	}
	return slices.Sorted(maps.Keys(names))
}

func TestEveryMessageIsInBothLanguages(t *testing.T) {
	t.Parallel()
	owner := map[string]string{}
	for feature, langs := range readTree(t).catalogs {
		require.Equal(t, slices.Sorted(slices.Values(words.Languages)), slices.Sorted(maps.Keys(langs)), feature)
		require.Equal(t, slices.Sorted(maps.Keys(langs["en"])), slices.Sorted(maps.Keys(langs["es"])), feature)
		for key, text := range langs["en"] {
			require.Equal(t, argumentsOf(text), argumentsOf(langs["es"][key]), "%s: %s", feature, key)
			require.Empty(t, owner[key], "%s is also in %s", key, feature)
			owner[key] = feature
		}
	}
}

// use is where a key is asked for; args are the values that come with it.
type use struct {
	key, at string
	args    []string
}

// usesIn are the messages that a template names, and the strings that it may build
// the key of one from.
func usesIn(t *testing.T, file, text string) (uses []use, parts []string) {
	t.Helper()
	trees := map[string]*parse.Tree{}
	p := parse.New(file)
	p.Mode = parse.SkipFuncCheck
	_, err := p.Parse(text, "", "", trees)
	require.NoError(t, err, file)
	for _, tree := range trees {
		walk(tree.Root, func(n parse.Node) {
			if s, ok := n.(*parse.StringNode); ok {
				parts = append(parts, s.Text)
			}
			c, ok := n.(*parse.CommandNode)
			if !ok || len(c.Args) < 2 || c.Args[0].String() != "t" {
				return
			}
			key, ok := c.Args[1].(*parse.StringNode)
			if !ok {
				return // built from parts
			}
			u := use{key: key.Text, at: file}
			for i := 2; i < len(c.Args); i += 2 {
				name, ok := c.Args[i].(*parse.StringNode)
				require.True(t, ok, "%s: %s", file, c)
				u.args = append(u.args, name.Text)
			}
			uses = append(uses, u)
		})
	}
	return uses, parts
}

func walk(n parse.Node, visit func(parse.Node)) {
	visit(n)
	lists := func(b *parse.BranchNode) {
		walk(b.Pipe, visit)
		walk(b.List, visit)
		if b.ElseList != nil {
			walk(b.ElseList, visit)
		}
	}
	switch n := n.(type) {
	case *parse.ListNode:
		for _, child := range n.Nodes {
			walk(child, visit)
		}
	case *parse.ActionNode:
		walk(n.Pipe, visit)
	case *parse.TemplateNode:
		if n.Pipe != nil {
			walk(n.Pipe, visit)
		}
	case *parse.PipeNode:
		for _, child := range n.Cmds {
			walk(child, visit)
		}
	case *parse.CommandNode:
		for _, child := range n.Args {
			walk(child, visit)
		}
	case *parse.IfNode:
		lists(&n.BranchNode)
	case *parse.RangeNode:
		lists(&n.BranchNode)
	case *parse.WithNode:
		lists(&n.BranchNode)
	}
}

// usesInCode are the messages that Go code names: codes of errors and of fields,
// notices of redirects, texts.
func usesInCode(set *token.FileSet, file *ast.File) (uses []use, parts []string) {
	ast.Inspect(file, func(n ast.Node) bool {
		if s, ok := literal(n); ok {
			parts = append(parts, s)
		}
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		name := ""
		switch f := call.Fun.(type) {
		case *ast.SelectorExpr:
			name = f.Sel.Name
		case *ast.Ident:
			name = f.Name
		}
		places := map[string]struct {
			arg    int
			prefix string
		}{"NewError": {1, "error."}, "WithField": {1, "error."}, "Redirect": {2, "notice."}, "Text": {1, ""}}
		place, ok := places[name]
		if !ok || len(call.Args) <= place.arg {
			return true
		}
		if s, ok := literal(call.Args[place.arg]); ok && s != "" {
			uses = append(uses, use{key: place.prefix + s, at: set.Position(call.Pos()).String()})
		}
		return true
	})
	return uses, parts
}

func literal(n ast.Node) (string, bool) {
	l, ok := n.(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(l.Value)
	return s, err == nil
}

func (tr tree) uses(t *testing.T) (uses []use, parts []string) {
	t.Helper()
	for file, text := range tr.templates {
		u, p := usesIn(t, file, text)
		uses, parts = append(uses, u...), append(parts, p...)
	}
	for _, file := range tr.code {
		u, p := usesInCode(tr.set, file)
		uses, parts = append(uses, u...), append(parts, p...)
	}
	require.Greater(t, len(uses), 100)
	return uses, parts
}

func (tr tree) english() map[string]string {
	all := map[string]string{}
	for _, langs := range tr.catalogs {
		maps.Copy(all, langs["en"])
	}
	return all
}

func TestEveryMessageThatIsNamedExistsAndGetsItsValues(t *testing.T) {
	t.Parallel()
	tr := readTree(t)
	catalog := tr.english()
	uses, _ := tr.uses(t)
	for _, u := range uses {
		text, ok := catalog[u.key]
		if !ok {
			t.Errorf("%s: there is no message %s", u.at, u.key)
			continue
		}
		if strings.HasSuffix(u.at, ".html") {
			require.Subset(t, u.args, argumentsOf(text), "%s: %s lacks a value", u.at, u.key)
		}
	}
}

var word = regexp.MustCompile(`[a-z0-9_]+`)

func TestEveryMessageIsUsed(t *testing.T) {
	t.Parallel()
	tr := readTree(t)
	uses, parts := tr.uses(t)
	used := map[string]bool{}
	for _, u := range uses {
		used[u.key] = true
	}
	var prefixes []string // "courses.step." + step, or Strings(c, "player.js.")
	for _, s := range parts {
		used[s] = true
		for _, code := range word.FindAllString(s, -1) { // also in an address, ?notice=set_aside, or in SQL
			used["error."+code], used["notice."+code] = true, true
			for _, part := range []string{"subject", "line", "button", "after"} { // of a letter by its name
				used["mail."+code+"."+part] = true
			}
		}
		prefix, _, _ := strings.Cut(s, "%")
		if strings.Count(prefix, ".") >= 2 && strings.ContainsAny(prefix[len(prefix)-1:], "._") && !strings.Contains(prefix, " ") {
			prefixes = append(prefixes, prefix)
		}
	}
	for key := range tr.english() {
		built := slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(key, prefix) })
		if !used[key] && !built {
			t.Errorf("nothing shows the message %s", key)
		}
	}
}

var action = regexp.MustCompile(`(?s)\{\{.*?\}\}`)

// visible are the attributes whose value a person reads or hears.
var visible = []string{"alt", "title", "placeholder", "aria-label", "aria-description", "aria-valuetext", "aria-roledescription", "data-label", "label", "summary"}

// languageNames are written in their own language on every page.
var languageNames = []string{"Español", "English"}

// faults are the texts of a template that are in no catalog, and what the content
// security policy would refuse.
func faults(text string) (found []string) {
	z := html.NewTokenizer(strings.NewReader(action.ReplaceAllString(text, "")))
	raw := "" // the element whose content is no markup to the tokenizer
	for {
		switch z.Next() {
		case html.ErrorToken:
			return found
		case html.TextToken:
			s := strings.TrimSpace(z.Token().Data)
			if raw == "noscript" {
				found = append(found, faults(s)...)
			} else if raw != "script" && hasLetter(s) && !slices.Contains(languageNames, s) {
				found = append(found, "text: "+s)
			}
		case html.EndTagToken:
			raw = ""
		case html.StartTagToken, html.SelfClosingTagToken:
			tag := z.Token()
			attrs := map[string]string{}
			for _, a := range tag.Attr {
				attrs[a.Key] = a.Val
			}
			_, hasSource := attrs["src"]
			raw = tag.Data
			if raw == "script" && !hasSource && attrs["type"] != "application/json" {
				found = append(found, "inline script")
			}
			if raw == "style" {
				found = append(found, "inline style")
			}
			shown := tag.Data == "input" && !slices.Contains([]string{"hidden", "checkbox", "radio"}, attrs["type"])
			for name, value := range attrs {
				switch {
				case name == "style", strings.HasPrefix(name, "on"), strings.HasPrefix(strings.ToLower(strings.TrimSpace(value)), "javascript:"):
					found = append(found, "inline "+name)
				case slices.Contains(visible, name) && hasLetter(value), name == "value" && shown && hasLetter(value):
					found = append(found, name+": "+value)
				}
			}
		}
	}
}

func hasLetter(s string) bool { return regexp.MustCompile(`\pL`).MatchString(s) }

func TestNoTemplateHoldsTextStyleOrScriptOfItsOwn(t *testing.T) {
	t.Parallel()
	for file, text := range readTree(t).templates {
		for _, fault := range faults(text) {
			t.Errorf("%s: %s", file, fault)
		}
	}
}

func TestTextStyleAndScriptInATemplateAreFound(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		`<p>{{t "a.b"}} · 12</p><button lang="es">Español</button>`:                                             nil,
		`<input type="hidden" value="yes"><img alt="{{t "x"}}" src="a">`:                                        nil,
		`<script type="application/json">{"a": {{.A}}, "b": "c"}</script><script src="{{asset "x"}}"></script>`: nil,
		`{{if .X}}Hello{{end}}`:                          {"text: Hello"},
		`<img alt="A cat">`:                              {"alt: A cat"},
		`<input type="submit" value="Go">`:               {"value: Go"},
		`<p style="{{.S}}">`:                             {"inline style"},
		`<p onclick="{{.S}}">`:                           {"inline onclick"},
		`<a href="JavaScript:x()"></a>`:                  {"inline href"},
		`<script>go()</script>`:                          {"inline script"},
		`<style>p{}</style>`:                             {"inline style", "text: p{}"},
		`<noscript><p>{{t "x"}}</p><b>No</b></noscript>`: {"text: No"},
		`<td data-label="Hours">{{.H}}</td>`:             {"data-label: Hours"},
	} {
		require.Equal(t, want, faults(text), text)
	}
}
