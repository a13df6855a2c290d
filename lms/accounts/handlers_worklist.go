package accounts

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"mopd/lms"
	"mopd/lms/web"
	"mopd/lms/words"
)

type worklistPage struct {
	web.Page
	Kind    ItemKind // shown; "" for all
	Kinds   []ItemKind
	Counts  map[ItemKind]int
	Credits int // that wait for a registrar too
	List    []Waiting
	Number  int // of the page, from 1 on
}

// Pages is how many pages there are of the kind that is shown.
func (p worklistPage) Pages() int {
	n := p.Total()
	if p.Kind != "" {
		n = p.Counts[p.Kind]
	}
	return max(1, (n+itemsPerPage-1)/itemsPerPage)
}

// Previous is the page before this one; 0 is none.
func (p worklistPage) Previous() int { return p.Number - 1 }

// Next is the page after this one; 0 is none.
func (p worklistPage) Next() int {
	if p.Number >= p.Pages() {
		return 0
	}
	return p.Number + 1
}

// To is the address of another page of the same kind.
func (p worklistPage) To(page int) string {
	return "/worklist?" + url.Values{"kind": {string(p.Kind)}, "page": {strconv.Itoa(page)}}.Encode()
}

// Total is how many items of all kinds wait.
func (p worklistPage) Total() (n int) {
	for _, count := range p.Counts {
		n += count
	}
	return n
}

func (h handlers) worklist(c *fiber.Ctx) error {
	page := worklistPage{Page: h.web.Page(c), Kind: ItemKind(c.Query("kind")), Kinds: ItemKinds, Number: web.PageOf(c)}
	if page.Kind != "" && !slices.Contains(ItemKinds, page.Kind) {
		return lms.ErrNotFound
	}
	var err error
	if page.List, page.Counts, err = h.Worklist(c.UserContext(), page.Kind, page.Number); err != nil {
		return err
	}
	if page.Credits, err = h.Registry.CountWaiting(c.UserContext()); err != nil {
		return err
	}
	return h.web.Render(c, "accounts/worklist", page)
}

// compared is a fact as it was typed, beside what is on file.
type compared struct {
	Label  string // key of a message
	Typed  string
	OnFile string // "" if nothing is
	Same   bool
}

// row compares facts that are written the same.
func row(label, typed, onFile string, same bool) compared {
	return compared{label, typed, onFile, same || typed == onFile}
}

type itemPage struct {
	web.Page
	Case
	Compared []compared
	Form     web.Fields // to dismiss it
	Refused  string
}

// tried are the last claim's facts beside those on file.
func (c Case) tried(lang string) []compared {
	if len(c.Tries) == 0 {
		return nil
	}
	last := c.Tries[len(c.Tries)-1]
	rows := []compared{
		{Label: "accounts.claim.mopd_id", Typed: strconv.Itoa(int(c.MOPDID))},
		{Label: "accounts.sign_up.family", Typed: last.Family},
		{Label: "accounts.sign_up.born", Typed: words.Date(lang, last.Born)},
	}
	if c.Person == nil {
		return rows
	}
	rows[0].OnFile, rows[0].Same = rows[0].Typed, true
	rows[1].OnFile = strings.Join(c.Person.Names, ", ")
	rows[1].Same = c.onFile.held(last.Family)
	rows[2].OnFile, rows[2].Same = writeDate(lang, c.Person.Born), c.Person.Born == last.Born
	return rows
}

// said are the facts of an imported row beside those on file.
func (c Case) said(lang string) []compared {
	p := c.Person
	number, name, hired := strconv.Itoa(int(c.MOPDID)), c.Said.Given+" "+c.Said.Family, writeDate(lang, c.Said.HiredOn)
	return []compared{
		row("accounts.claim.mopd_id", number, number, true),
		row("accounts.account.name", name, strings.Join(p.Names, ", "), slices.Contains(p.Names, name)),
		row("accounts.sign_up.born", writeDate(lang, c.Said.Born), writeDate(lang, p.Born), false),
		row("accounts.sign_up.email", c.Said.Email, strings.Join(p.Addresses, ", "), slices.Contains(p.Addresses, c.Said.Email)),
		row("accounts.dossier.hired", hired, strings.Join(p.hired(lang), ", "), slices.Contains(p.hired(lang), hired)),
	}
}

func (d Dossier) hired(lang string) (days []string) {
	for _, e := range d.Employments {
		if !e.HiredOn.IsZero() {
			days = append(days, words.Date(lang, e.HiredOn))
		}
	}
	return days
}

func writeDate(lang string, d lms.Date) string {
	if d.IsZero() {
		return ""
	}
	return words.Date(lang, d)
}

func reasonFields(c *fiber.Ctx, label, hint string) web.Fields {
	return web.Fields{{Name: "reason", Label: label, Hint: hint, Type: "textarea", Value: c.FormValue("reason"), Max: noteLength, Required: true}}
}

func dismissFields(c *fiber.Ctx) web.Fields {
	return reasonFields(c, "accounts.item.reason", "accounts.item.reason_hint")
}

func (h handlers) item(c *fiber.Ctx) error { return h.showItem(c, dismissFields(c), "") }

func (h handlers) showItem(c *fiber.Ctx, form web.Fields, refused string) error {
	n, err := web.Number[int64](c, "id")
	if err != nil {
		return err
	}
	page := itemPage{Page: h.web.Page(c), Form: form, Refused: refused}
	if page.Case, err = h.Case(c.UserContext(), *page.Viewer, n, web.From(c), page.Now); err != nil {
		return err
	}
	switch page.Kind {
	case ClaimItem:
		page.Compared = page.tried(page.Lang)
	case ImportItem:
		page.Compared = page.said(page.Lang)
	}
	return h.web.Render(c, "accounts/item", page)
}

// decision is what a form says about an item.
func decision(c *fiber.Ctx) (Decision, error) {
	n, err := web.Number[int64](c, "id")
	return Decision{Item: n, Reason: c.FormValue("reason"), From: web.From(c)}, err
}

// decided answers a decision: the form again, or the list.
func (h handlers) decided(c *fiber.Ctx, err error, fields web.Fields, again func(web.Fields, string) error, notice string) error {
	if wrong, ok := wrong(c, err); ok {
		return again(fields.With(wrong), "")
	}
	if refused := h.refused(c, err); refused != "" {
		return again(fields, refused)
	}
	if err != nil {
		return err
	}
	return web.Redirect(c, "/worklist", notice)
}

func (h handlers) dismiss(c *fiber.Ctx) error {
	d, err := decision(c)
	if err != nil {
		return err
	}
	err = h.Dismiss(c.UserContext(), *web.Viewer(c), d, h.web.Now())
	return h.decided(c, err, dismissFields(c), func(f web.Fields, refused string) error { return h.showItem(c, f, refused) }, "item_dismissed")
}

// decidePage is a form that settles an item.
type decidePage struct {
	formPage
	Item  int64
	About *Dossier
	Hours int // of the waiting time
}

// decideForm shows a form that settles an item of a kind.
func (h handlers) decideForm(c *fiber.Ctx, name string, kind ItemKind, form web.Fields, refused string) error {
	n, err := web.Number[int64](c, "id")
	if err != nil {
		return err
	}
	page := decidePage{formPage: formPage{Page: h.web.Page(c), Form: form, Refused: refused}, Item: n, Hours: int(h.RecoveryWait.Hours())}
	found, err := h.Case(c.UserContext(), *page.Viewer, n, web.From(c), page.Now)
	if err != nil {
		return err
	}
	if found.Kind != kind || found.Person == nil || !found.Open() {
		return web.Redirect(c, fmt.Sprintf("/worklist/%d", n), "")
	}
	page.About = found.Person
	return h.web.Render(c, "accounts/"+name, page)
}

func claimLinkFields(c *fiber.Ctx) web.Fields {
	address := web.Field{Name: "email", Label: "accounts.claim_link.email", Hint: "accounts.claim_link.email_hint", Type: "email", Value: c.FormValue("email"), Max: emailLength, Required: true, Focus: true}
	return append(web.Fields{address}, reasonFields(c, "accounts.item.checked", "accounts.item.checked_hint")...)
}

func (h handlers) showClaimLink(c *fiber.Ctx, form web.Fields, refused string) error {
	return h.decideForm(c, "claim_link", ClaimItem, form, refused)
}

func (h handlers) claimLinkForm(c *fiber.Ctx) error {
	return h.showClaimLink(c, claimLinkFields(c), "")
}

func (h handlers) sendClaimLink(c *fiber.Ctx) error {
	d, err := decision(c)
	if err != nil {
		return err
	}
	err = h.SendClaimLink(c.UserContext(), *web.Viewer(c), d, c.FormValue("email"), h.web.Now())
	return h.decided(c, err, claimLinkFields(c), func(f web.Fields, refused string) error { return h.showClaimLink(c, f, refused) }, h.noticeOf(c, d.Item, "claim_link_sent"))
}

func approveFields(c *fiber.Ctx) web.Fields {
	return reasonFields(c, "accounts.item.checked", "accounts.item.checked_hint")
}

func (h handlers) showApprove(c *fiber.Ctx, form web.Fields, refused string) error {
	return h.decideForm(c, "approve", RecoveryItem, form, refused)
}

func (h handlers) approveForm(c *fiber.Ctx) error { return h.showApprove(c, approveFields(c), "") }

func (h handlers) approve(c *fiber.Ctx) error {
	d, err := decision(c)
	if err != nil {
		return err
	}
	err = h.ApproveRecovery(c.UserContext(), *web.Viewer(c), d, h.web.Now())
	return h.decided(c, err, approveFields(c), func(f web.Fields, refused string) error { return h.showApprove(c, f, refused) }, "recovery_approved")
}

// mergePage says what a merge will do.
type mergePage struct {
	web.Page
	Plan    MergePlan
	Form    web.Fields
	Refused string
}

func mergeFields(c *fiber.Ctx) web.Fields {
	return reasonFields(c, "accounts.merge.reason", "accounts.merge.reason_hint")
}

// into is the profile that was chosen to stay.
func into(c *fiber.Ctx) lms.PersonID {
	n, err := strconv.ParseInt(c.FormValue("into", c.Query("into")), 10, 64)
	if err != nil {
		return 0 // nobody, which PlanMerge and Merge refuse
	}
	return lms.PersonID(n)
}

func (h handlers) showMerge(c *fiber.Ctx, form web.Fields, refused string) error {
	n, err := web.Number[int64](c, "id")
	if err != nil {
		return err
	}
	page := mergePage{Page: h.web.Page(c), Form: form, Refused: refused}
	page.Plan, err = h.PlanMerge(c.UserContext(), *page.Viewer, n, into(c), web.From(c), page.Now)
	if sentence := h.refused(c, err); sentence != "" {
		return h.showItem(c, dismissFields(c), sentence)
	}
	if err != nil {
		return err
	}
	return h.web.Render(c, "accounts/merge", page)
}

func (h handlers) mergeForm(c *fiber.Ctx) error { return h.showMerge(c, mergeFields(c), "") }

func (h handlers) merge(c *fiber.Ctx) error {
	d, err := decision(c)
	if err != nil {
		return err
	}
	err = h.Merge(c.UserContext(), *web.Viewer(c), d, into(c), h.web.Now())
	return h.decided(c, err, mergeFields(c), func(f web.Fields, refused string) error { return h.showMerge(c, f, refused) }, h.noticeOf(c, d.Item, "merged"))
}

// noticeOf says what was done, or that it waits to be.
func (h handlers) noticeOf(c *fiber.Ctx, item int64, done string) string {
	if i, err := selectItem(c.UserContext(), h.DB, item); err == nil && i.Open() && i.Pending != nil {
		return "decision_waits"
	}
	return done
}

// stopPage asks whether a decision is to be stopped, or says that it is.
type stopPage struct {
	web.Page
	Token string
	Kind  ItemKind // of what is stopped
}

func (h handlers) stopItemForm(c *fiber.Ctx) error {
	kind, err := h.CheckItemStop(c.UserContext(), c.Params("token"))
	if err != nil {
		return h.itemStopped(c, err)
	}
	return h.web.Render(c, "accounts/stop", stopPage{Page: h.web.Page(c), Token: c.Params("token"), Kind: kind})
}

func (h handlers) stopItem(c *fiber.Ctx) error {
	return h.itemStopped(c, h.StopItem(c.UserContext(), c.Params("token"), web.From(c), h.web.Now()))
}

// itemStopped says that nothing takes effect any more.
func (h handlers) itemStopped(c *fiber.Ctx, err error) error {
	if err != nil && !errors.Is(err, ErrDecisionOver) {
		return err
	}
	return h.web.Render(c, "accounts/stopped", stopPage{Page: h.web.Page(c)})
}
