package coursekit

import (
	"errors"
	"fmt"
	"html/template"
	"regexp"
	"strings"
)

// lesson is the SCO's page: all of the course's screens as sections, readable from top to bottom without a script.
var lesson = template.Must(template.New("index.html.tmpl").Option("missingkey=error").ParseFS(files, "assets/index.html.tmpl"))

// PassMark lets the template tell the script the mark.
func (c course) PassMark() int { return PassMark }

// Steps counts the screens: the pages, the quiz and the closing screen.
func (c course) Steps() int { return len(c.Pages) + 2 }

var (
	numbered = regexp.MustCompile(`^\d+\. `)
	bold     = regexp.MustCompile(`\*\*([^*]+)\*\*`)
)

// render turns one block of a course text, other than a question, into HTML. Text is escaped first, so that only the
// elements written here can appear.
func render(lines []string) (template.HTML, error) {
	first := lines[0]
	switch {
	case strings.HasPrefix(first, "# "):
		return "", errors.New("a page heading stands alone, as “# id | Heading”")
	case strings.HasPrefix(first, "## "):
		return element("h3", inline(strings.TrimPrefix(strings.Join(lines, " "), "## "))), nil
	case strings.HasPrefix(first, "- "):
		return list("ul", lines, func(line string) (string, bool) { return strings.CutPrefix(line, "- ") }), nil
	case numbered.MatchString(first):
		return list("ol", lines, func(line string) (string, bool) {
			mark := numbered.FindString(line)
			return line[len(mark):], mark != ""
		}), nil
	case strings.HasPrefix(first, "> "):
		return `<div class="scenario">` + element("p", inline(unmark(lines, "> "))) + `</div>`, nil
	case strings.HasPrefix(first, "! "):
		return `<div class="vital">` + element("p", inline(unmark(lines, "! "))) + `</div>`, nil
	case strings.HasPrefix(first, "@ "):
		return drawing(strings.TrimPrefix(strings.Join(lines, " "), "@ "))
	default:
		return element("p", inline(strings.Join(lines, " "))), nil
	}
}

// unmark joins the lines of a block without their leading mark, which only the first line needs.
func unmark(lines []string, mark string) string {
	parts := make([]string, len(lines))
	for i, line := range lines {
		parts[i] = strings.TrimPrefix(line, mark)
	}
	return strings.Join(parts, " ")
}

// list makes one item of each marked line; a line without the mark goes on with the item before it.
func list(tag string, lines []string, unmark func(string) (string, bool)) template.HTML {
	var items []string
	for _, line := range lines {
		if text, marked := unmark(line); marked {
			items = append(items, text)
			continue
		}
		items[len(items)-1] += " " + line
	}
	var body template.HTML
	for _, item := range items {
		body += element("li", inline(item))
	}
	return element(tag, body)
}

// drawing inlines an SVG, so that it takes its colors from the page, and gives it its text alternative.
func drawing(spec string) (template.HTML, error) {
	name, alternative, found := strings.Cut(spec, " | ")
	if !found {
		return "", errors.New("a drawing needs a text alternative")
	}
	svg, err := files.ReadFile("drawings/" + name + ".svg")
	if err != nil {
		return "", fmt.Errorf("drawing: %w", err)
	}
	inner, isSVG := strings.CutPrefix(strings.TrimSpace(string(svg)), "<svg ")
	if !isSVG {
		return "", fmt.Errorf("drawing %s does not begin with an svg element", name)
	}
	label := template.HTMLEscapeString(alternative)
	return template.HTML(`<figure><svg role="img" aria-label="` + label + `" ` + inner + `</figure>`), nil
}

func element(tag string, body template.HTML) template.HTML {
	return template.HTML("<"+tag+">") + body + template.HTML("</"+tag+">")
}

// inline escapes text and sets its bold spans.
func inline(text string) template.HTML {
	escaped := template.HTMLEscapeString(typographic(text))
	return template.HTML(bold.ReplaceAllString(escaped, "<strong>$1</strong>"))
}

// typographic turns the apostrophes of a keyboard into those of print.
func typographic(text string) string { return strings.ReplaceAll(text, "'", "’") }
