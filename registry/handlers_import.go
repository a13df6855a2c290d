package registry

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"mopd/lms"
	"mopd/lms/web"
)

const (
	importsOnPage = 25
	rowsOnPage    = 50
)

type importsPage struct {
	web.Page
	web.Pager
	List    []Import
	Columns []string
	Others  []string          // columns that a file may have too
	Strings map[string]string // of the page's script
	Form    web.Fields
	Refused string
}

func (h handlers) imports(c *fiber.Ctx) error { return h.importsPage(c, nil, "") }

// importsPage lists files of records, with the form for another one.
func (h handlers) importsPage(c *fiber.Ctx, wrong map[string]string, refused string) error {
	page := importsPage{Page: h.web.Page(c), Pager: web.Pager{Base: "/records/imports", Number: web.PageOf(c)}, Columns: recordColumns, Others: moreColumns, Strings: h.web.Strings(c, "registry.imports.script."), Refused: refused}
	list, err := selectImports(c.UserContext(), h.DB, importsOnPage+1, (page.Number-1)*importsOnPage)
	if err != nil {
		return err
	}
	page.More = len(list) > importsOnPage
	page.List = list[:min(len(list), importsOnPage)]
	if wrong != nil || refused != "" {
		c.Status(fiber.StatusUnprocessableEntity)
	}
	page.Form = web.Fields{{Name: "rows", Label: "registry.imports.rows", Hint: "registry.imports.rows_hint", Type: "textarea", Value: c.FormValue("rows"), Required: true, Autocomplete: "off"}}.With(wrong)
	return h.web.Render(c, "registry/imports", page)
}

// pasteImport reads records that were pasted into the form.
func (h handlers) pasteImport(c *fiber.Ctx) error {
	rows := strings.TrimSpace(c.FormValue("rows"))
	if rows == "" {
		return h.importsPage(c, map[string]string{"rows": "import_empty"}, "")
	}
	id, err := h.ReadImport(c.UserContext(), web.Viewer(c).ID, h.web.Text(c, "registry.imports.pasted"), strings.NewReader(rows), web.From(c), h.web.Now())
	if e, ok := lms.AsError(err); ok && e.Kind == lms.Invalid {
		return h.importsPage(c, nil, h.web.Sentence(c, err))
	}
	if err != nil {
		return err
	}
	return c.Redirect(importPath(id), fiber.StatusSeeOther)
}

// putImport reads a file that the script of the page sends.
func (h handlers) putImport(c *fiber.Ctx) error {
	name, err := url.PathUnescape(c.Params("name"))
	if err != nil || name == "" {
		return lms.ErrForm.Because(err)
	}
	id, err := h.ReadImport(c.UserContext(), web.Viewer(c).ID, shortened(name), bytes.NewReader(c.BodyRaw()), web.From(c), h.web.Now())
	if err != nil {
		return err
	}
	return c.Status(fiber.StatusCreated).JSON(fiber.Map{"next": importPath(id)})
}

// shortened is the name of a file, as far as it is kept.
func shortened(name string) string {
	runes := []rune(strings.ToValidUTF8(name, ""))
	return string(runes[max(len(runes)-200, 0):])
}

type importPage struct {
	web.Page
	web.Pager
	Import  Import
	Counts  map[Outcome]int
	Shown   Outcome // "": all
	Rows    []Row
	Form    web.Fields
	Refused string
}

// Kinds are the outcomes that rows of the import have, and whether there are others than
// were shown.
func (p importPage) Kinds() (list []Outcome) {
	for _, o := range Outcomes {
		if p.Counts[o] > 0 {
			list = append(list, o)
		}
	}
	if p.Import.Changed > 0 {
		list = append(list, rowChanged)
	}
	return list
}

// Brings is how many credits the import would bring, or has brought.
func (p importPage) Brings() int {
	return p.Counts[RowCredited] + p.Counts[RowHeld] + p.Counts[RowDenied]
}

// Waiting is how many rows wait for somebody to say whose they are.
func (p importPage) Waiting() int { return p.Counts[RowWaiting] }

// Unreadable is how many rows cannot be read.
func (p importPage) Unreadable() int { return p.Counts[RowUnreadable] + p.Counts[RowFailed] }

// Orders tells whether there is anything to import: a credit, or a row that waits.
func (p importPage) Orders() bool { return p.Brings()+p.Waiting() > 0 }

func importPath(id ImportID) string { return fmt.Sprintf("/records/imports/%d", id) }

func (h handlers) importOf(c *fiber.Ctx) error { return h.importPage(c, nil, "") }

// importPage shows what will become of a file's rows, or what has.
func (h handlers) importPage(c *fiber.Ctx, wrong map[string]string, refused string) error {
	id, err := web.Number[ImportID](c, "id")
	if err != nil {
		return err
	}
	ctx := c.UserContext()
	page := importPage{Page: h.web.Page(c), Shown: Outcome(c.Query("outcome")), Refused: refused,
		Pager: web.Pager{Base: importPath(id), Query: url.Values{"outcome": {c.Query("outcome")}}, Number: web.PageOf(c)}}
	if page.Shown != "" && page.Shown != rowChanged && !slices.Contains(Outcomes, page.Shown) {
		return lms.ErrNotFound
	}
	if page.Import, err = selectImport(ctx, h.DB, id); err != nil {
		return err
	}
	if page.Counts, err = selectOutcomes(ctx, h.DB, id); err != nil {
		return err
	}
	rows, err := selectRows(ctx, h.DB, id, page.Shown, rowsOnPage+1, (page.Number-1)*rowsOnPage)
	if err != nil {
		return err
	}
	page.More = len(rows) > rowsOnPage
	page.Rows = rows[:min(len(rows), rowsOnPage)]
	page.Counts[rowChanged] = page.Import.Changed
	if wrong != nil || refused != "" {
		c.Status(fiber.StatusUnprocessableEntity)
	}
	page.Form = web.Fields{{Name: "note", Label: "registry.credit.note", Hint: "registry.imports.undo_hint", Type: "textarea", Value: c.FormValue("note"), Max: 1000, Required: true, Autocomplete: "off"}}.With(wrong)
	return h.web.Render(c, "registry/import", page)
}

func (h handlers) orderImport(c *fiber.Ctx) error {
	return h.changeImport(c, "import_ordered", func(id ImportID) error {
		return h.OrderImport(c.UserContext(), web.Viewer(c).ID, id, c.FormValue("tells") == "1", web.From(c), h.web.Now())
	})
}

func (h handlers) dropImport(c *fiber.Ctx) error {
	return h.changeImport(c, "import_dropped", func(id ImportID) error {
		return h.DropImport(c.UserContext(), web.Viewer(c).ID, id, web.From(c), h.web.Now())
	})
}

func (h handlers) undoImport(c *fiber.Ctx) error {
	return h.changeImport(c, "import_undone", func(id ImportID) error {
		return h.UndoImport(c.UserContext(), web.Viewer(c).ID, id, strings.TrimSpace(c.FormValue("note")), web.From(c), h.web.Now())
	})
}

func (h handlers) changeImport(c *fiber.Ctx, notice string, change func(id ImportID) error) error {
	id, err := web.Number[ImportID](c, "id")
	if err != nil {
		return err
	}
	err = change(id)
	e, _ := lms.AsError(err)
	switch {
	case errors.Is(err, lms.ErrForm):
		return h.importPage(c, e.Fields, "")
	case errors.Is(err, ErrImportState):
		return h.importPage(c, nil, h.web.Sentence(c, err))
	case err != nil:
		return err
	}
	return web.Redirect(c, importPath(id), notice)
}

type rowPage struct {
	web.Page
	At         WaitingRow
	Row        Row
	Name       string // of the file
	Waiting    int    // rows in all
	Candidates []Candidate
	Others     []other // who has the record beside which it would stand; one at most
	Form       web.Fields
	Find       web.Fields // somebody else, by their number
	Refused    string
}

// other is somebody else who has a record that waits, and the credit that they have of it.
type other struct {
	lms.Person
	Credit claimed
}

// What is said once a row is settled.
const (
	rowMatched   = "row_matched"
	rowDismissed = "row_dismissed"
)

// nextRow leads to a row that waits for a registrar, after the one that the address
// names or from the start.
func (h handlers) nextRow(c *fiber.Ctx) error {
	notice := c.Query("notice")
	if notice != rowMatched && notice != rowDismissed {
		notice = ""
	}
	next, err := selectNextWaiting(c.UserContext(), h.DB, WaitingRow{ImportID(c.QueryInt("import")), min(max(c.QueryInt("line"), 0), mostRows)})
	if errors.Is(err, lms.ErrNotFound) {
		return web.Redirect(c, "/records", notice)
	}
	if err != nil {
		return err
	}
	return web.Redirect(c, next.path(), notice)
}

func (w WaitingRow) path() string { return fmt.Sprintf("%s/rows/%d", importPath(w.Import), w.Line) }

func rowAt(c *fiber.Ctx) (at WaitingRow, err error) {
	if at.Import, err = web.Number[ImportID](c, "id"); err != nil {
		return at, err
	}
	line, err := strconv.ParseInt(c.Params("line"), 10, 32)
	if at.Line = int(line); err != nil {
		err = lms.ErrNotFound.Because(err)
	}
	return at, err
}

func (h handlers) row(c *fiber.Ctx) error { return h.rowPage(c, nil, "") }

// rowPage shows a row that waits, beside those whom it may be about and what it would
// change for each.
func (h handlers) rowPage(c *fiber.Ctx, wrong map[string]string, refused string) error {
	at, err := rowAt(c)
	if err != nil {
		return err
	}
	ctx := c.UserContext()
	page := rowPage{Page: h.web.Page(c), At: at, Refused: refused}
	if page.Row, err = selectRow(ctx, h.DB, at.Import, at.Line); err != nil {
		return err
	}
	imp, err := selectImport(ctx, h.DB, at.Import)
	if err != nil {
		return err
	}
	page.Name = imp.Name
	if page.Waiting, err = countWaitingRows(ctx, h.DB); err != nil {
		return err
	}
	if page.Row.Outcome == RowWaiting {
		if page.Candidates, err = h.Candidates(ctx, *page.Viewer, at.Import, page.Row, lms.MOPDID(c.QueryInt("mopd_id")), web.From(c), page.Now); err != nil {
			return err
		}
	}
	if page.Others, err = h.othersOf(c, page.Candidates); err != nil {
		return err
	}
	if wrong != nil || refused != "" {
		c.Status(fiber.StatusUnprocessableEntity)
	}
	page.Find = web.Fields{{Name: "mopd_id", Label: "registry.row.find", Hint: "registry.row.find_hint", Value: c.Query("mopd_id"), Max: 9, Autocomplete: "off"}}
	page.Form = web.Fields{{Name: "note", Label: "registry.credit.note", Hint: "registry.row.note_hint", Type: "textarea", Value: c.FormValue("note"), Max: 1000, Required: true, Autocomplete: "off", Focus: true}}.With(wrong)
	return h.web.Render(c, "registry/row", page)
}

// othersOf is who else has the record beside which it would stand; that they were looked
// at is written down.
func (h handlers) othersOf(c *fiber.Ctx, candidates []Candidate) (list []other, err error) {
	i := slices.IndexFunc(candidates, func(c Candidate) bool { return c.Beside != 0 })
	if i < 0 {
		return nil, nil
	}
	credit, err := selectClaimed(c.UserContext(), h.DB, candidates[i].Beside)
	if err != nil {
		return nil, err
	}
	p, err := h.People.LookAtPerson(c.UserContext(), *web.Viewer(c), credit.Person, web.From(c), h.web.Now())
	return []other{{p, credit}}, err
}

// resolveRow puts a row on somebody's record, or dismisses it, and leads to the next one.
func (h handlers) resolveRow(c *fiber.Ctx) error {
	at, err := rowAt(c)
	if err != nil {
		return err
	}
	note, notice := c.FormValue("note"), rowDismissed
	if p, _ := strconv.ParseInt(c.FormValue("person"), 10, 64); p != 0 {
		notice = rowMatched
		beside, _ := strconv.ParseInt(c.FormValue("beside"), 10, 64)
		err = h.ResolveRow(c.UserContext(), *web.Viewer(c), at.Import, at.Line, lms.PersonID(p), lms.CreditID(beside), note, web.From(c), h.web.Now())
	} else {
		err = h.DismissRow(c.UserContext(), *web.Viewer(c), at.Import, at.Line, note, web.From(c), h.web.Now())
	}
	e, known := lms.AsError(err)
	switch {
	case errors.Is(err, lms.ErrForm):
		return h.rowPage(c, e.Fields, "")
	case known && (e.Kind == lms.Conflict || errors.Is(err, ErrOwnCredit)):
		return h.rowPage(c, nil, h.web.Sentence(c, err))
	case err != nil:
		return err
	}
	return c.Redirect(fmt.Sprintf("/records/rows?import=%d&line=%d&notice=%s", at.Import, at.Line, notice), fiber.StatusSeeOther)
}

// WhyKey is the word for why a row became what it did; "" where nothing needs saying.
func (r Row) WhyKey() string { return whyKey(r.Outcome, r.Why) }

// ShownWhyKey is WhyKey of what was shown before.
func (r Row) ShownWhyKey() string { return whyKey(r.Shown, r.ShownWhy) }

func whyKey(o Outcome, why string) string {
	switch {
	case why == "":
		return ""
	case o == RowUnreadable || o == RowFailed:
		return "error." + why
	case o == RowHeld || o == RowDenied:
		return "registry.reason." + why
	default:
		return "registry.row.why_" + why
	}
}
