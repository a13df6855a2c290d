package web

import (
	"bytes"
	"fmt"
	"strings"
	"sync"

	"github.com/gofiber/fiber/v2"

	"mopd/static"
)

// Paper is the page of a template as a document of its own, to be made a file: its styles
// are inside, and it loads nothing. The foot of each sheet says foot, and the number of the
// sheet.
func (s *Server) Paper(c *fiber.Ctx, name, foot string, page any) (string, error) {
	var out bytes.Buffer
	lang := s.Lang(c)
	if err := s.views.renderAs(&out, "paper", lang, name, page); err != nil {
		return "", err
	}
	// CSS Paged Media 3 §5: the boxes in the margins of a sheet.
	feet := fmt.Sprintf("@page{@bottom-left{content:%s}@bottom-right{content:%s counter(page) %s counter(pages)}}",
		cssString(foot), cssString(s.views.words.Text(lang, "paper.page")+" "), cssString(" "+s.views.words.Text(lang, "paper.of")+" "))
	return strings.Replace(out.String(), "</head>", "<style>"+paperStyles()+feet+"</style></head>", 1), nil
}

var paperStyles = sync.OnceValue(func() string { return static.Inlined("styles.css") })

// cssString is a text as a style sheet quotes it (CSS Syntax 3 §4.3.5); "<" could end the
// sheet.
func cssString(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\a `, "\r", "", "<", `\3c `).Replace(text) + `"`
}
