package coursekit

import (
	"errors"
	"fmt"
	"html/template"
	"regexp"
	"strings"
)

// course is a course text as read, ready to render. Key is its code in the letters that XML identifiers and SCORM
// identifiers allow, "ssl-100".
type course struct {
	Code, Key, Title string
	Pages            []page
	QuizHeading      string
	QuizIntro        []block
	Quiz             []question
}

// page is one screen of teaching.
type page struct {
	ID, Heading string
	Blocks      []block
}

// block is one piece of a page: finished HTML, or a knowledge check.
type block struct {
	HTML  template.HTML
	Check *question
}

// question has four options, one right, and an explanation that is shown after answering. ID is "q1" and so on in
// the quiz, "c1" and so on for knowledge checks; Right is an option's letter.
type question struct {
	ID      string
	Number  int
	Text    template.HTML
	Options []option
	Right   string
	Why     template.HTML
}

type option struct {
	Letter string
	Text   template.HTML
}

// quizID is the page id that marks the quiz in a course text; it comes last.
const quizID = "quiz"

var pageHead = regexp.MustCompile(`^# ([a-z][a-z0-9-]*) \| (.+)$`)

// load reads the embedded text of a course and takes its title from the catalog.
func load(code string) (course, error) {
	text, err := files.ReadFile("content/" + code + ".txt")
	if err != nil {
		return course{}, fmt.Errorf("course %q: no such course", code)
	}
	list, err := Catalog()
	if err != nil {
		return course{}, err
	}
	for _, entry := range list.Courses {
		if entry.Code != code {
			continue
		}
		c := course{Code: code, Key: strings.ToLower(code), Title: entry.Title}
		if err := c.read(string(text)); err != nil {
			return course{}, fmt.Errorf("course %s: %w", code, err)
		}
		return c, nil
	}
	return course{}, fmt.Errorf("course %s: not in the catalog", code)
}

// read parses a course text. Blocks are parted by blank lines; a block's first characters say what it is:
//
//	# id | Heading           a new page; the page "quiz" comes last and holds the quiz
//	## Heading               a heading inside the page
//	- one                    a list
//	1. one                   a numbered list
//	> text                   a scenario
//	! text                   something that must not be missed
//	@ name | alternative     a drawing from drawings/, with its text alternative
//	? question               a question; then lines "( ) option", one of them "(x) option", and "= explanation"
//	anything else            a paragraph; **bold** works everywhere
func (c *course) read(text string) error {
	checks := 0
	var current *page
	for _, lines := range split(text) {
		head := pageHead.FindStringSubmatch(lines[0])
		switch {
		case head != nil && len(lines) == 1 && head[1] == quizID:
			c.QuizHeading, current = typographic(head[2]), nil
		case head != nil && len(lines) == 1:
			if c.QuizHeading != "" {
				return fmt.Errorf("page %s stands after the quiz", head[1])
			}
			c.Pages = append(c.Pages, page{ID: head[1], Heading: typographic(head[2])})
			current = &c.Pages[len(c.Pages)-1]
		case strings.HasPrefix(lines[0], "? "):
			q, err := readQuestion(lines)
			if err != nil {
				return fmt.Errorf("%q: %w", lines[0], err)
			}
			if current == nil {
				q.Number = len(c.Quiz) + 1
				q.ID = fmt.Sprintf("q%d", q.Number)
				c.Quiz = append(c.Quiz, q)
				continue
			}
			checks++
			q.ID = fmt.Sprintf("c%d", checks)
			current.Blocks = append(current.Blocks, block{Check: &q})
		default:
			html, err := render(lines)
			if err != nil {
				return fmt.Errorf("%q: %w", lines[0], err)
			}
			switch {
			case current != nil:
				current.Blocks = append(current.Blocks, block{HTML: html})
			case c.QuizHeading != "":
				c.QuizIntro = append(c.QuizIntro, block{HTML: html})
			default:
				return fmt.Errorf("%q stands before the first page", lines[0])
			}
		}
	}
	return nil
}

// split parts a text into blocks of non-blank lines.
func split(text string) [][]string {
	var blocks [][]string
	var lines []string
	for line := range strings.Lines(text + "\n\n") {
		line = strings.TrimSpace(line)
		if line != "" {
			lines = append(lines, line)
			continue
		}
		if len(lines) > 0 {
			blocks = append(blocks, lines)
		}
		lines = nil
	}
	return blocks
}

var (
	errOptions     = errors.New("a question needs exactly four options, one marked (x)")
	errExplanation = errors.New("a question needs one explanation")
)

func readQuestion(lines []string) (question, error) {
	q := question{Text: inline(strings.TrimPrefix(lines[0], "? "))}
	for _, line := range lines[1:] {
		mark, text, _ := strings.Cut(line, ") ")
		switch why, isWhy := strings.CutPrefix(line, "= "); {
		case isWhy && q.Why == "":
			q.Why = inline(why)
		case isWhy:
			return question{}, errExplanation
		case mark == "( " || mark == "(x":
			letter := string(rune('a' + len(q.Options)))
			if mark == "(x" {
				if q.Right != "" {
					return question{}, errOptions
				}
				q.Right = letter
			}
			q.Options = append(q.Options, option{letter, inline(text)})
		default:
			return question{}, fmt.Errorf("%q is neither an option nor an explanation", line)
		}
	}
	if len(q.Options) != 4 || q.Right == "" {
		return question{}, errOptions
	}
	if q.Why == "" {
		return question{}, errExplanation
	}
	return q, nil
}
