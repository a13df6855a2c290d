package packages

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
)

// The elements of a manifest, of whatever namespace: many packages declare the
// wrong one.
type (
	manifestXML struct {
		XMLName       xml.Name
		Attrs         []xml.Attr `xml:",any,attr"`
		Base          string     `xml:"base,attr"`
		Schema        string     `xml:"metadata>schema"`
		SchemaVersion string     `xml:"metadata>schemaversion"`
		Titles        []string   `xml:"metadata>lom>general>title>langstring"`
		Organizations struct {
			Default string            `xml:"default,attr"`
			List    []organizationXML `xml:"organization"`
		} `xml:"organizations"`
		Resources struct {
			Base string        `xml:"base,attr"`
			List []resourceXML `xml:"resource"`
		} `xml:"resources"`
	}
	organizationXML struct {
		Identifier string    `xml:"identifier,attr"`
		Title      string    `xml:"title"`
		Items      []itemXML `xml:"item"`
	}
	itemXML struct {
		Identifier    string    `xml:"identifier,attr"`
		Reference     string    `xml:"identifierref,attr"`
		Parameters    string    `xml:"parameters,attr"`
		Title         string    `xml:"title"`
		Prerequisites string    `xml:"prerequisites"`
		MaxTime       string    `xml:"maxtimeallowed"`
		TimeLimit     string    `xml:"timelimitaction"`
		LaunchData    string    `xml:"datafromlms"`
		MasteryScore  string    `xml:"masteryscore"`
		Items         []itemXML `xml:"item"`
	}
	resourceXML struct {
		Identifier string `xml:"identifier,attr"`
		Base       string `xml:"base,attr"`
		Type12     string `xml:"scormtype,attr"`
		Type2004   string `xml:"scormType,attr"`
		Href       string `xml:"href,attr"`
		Files      []struct {
			Href string `xml:"href,attr"`
		} `xml:"file"`
	}
)

func (r resourceXML) sco() bool {
	return strings.EqualFold(r.Type12, "sco") || strings.EqualFold(r.Type2004, "sco")
}

// addresses are the names and values of what the loop over the resources resolves.
func (m manifestXML) addresses() iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		if !yield("xml:base", m.Base) || !yield("xml:base", m.Resources.Base) {
			return
		}
		for _, r := range m.Resources.List {
			if !yield("xml:base", r.Base) || !yield("href", r.Href) {
				return
			}
			for _, f := range r.Files {
				if !yield("href", f.Href) {
					return
				}
			}
		}
	}
}

func (p *Package) manifestBytes(limit int64) ([]byte, error) {
	f, err := p.Open(manifestName)
	if err != nil {
		return nil, ErrDamaged.With("File", manifestName).Because(err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, ErrDamaged.With("File", manifestName).Because(err)
	}
	if int64(len(raw)) > limit {
		return nil, ErrManifestSize.With("Limit", megabytes(limit))
	}
	return raw, nil
}

// decode reads the XML. Entities that a document declares are not expanded: XML's
// own five are all that there are.
//
// Errors: ErrManifest, ErrElements, the context's.
func decode(ctx context.Context, raw []byte, elements int) (manifestXML, error) {
	var m manifestXML
	err := xml.NewTokenDecoder(newTokens(ctx, toUTF8(raw), elements)).Decode(&m)
	switch {
	case ctx.Err() != nil:
		return m, ctx.Err()
	case errors.Is(err, errElements):
		return m, ErrElements.With("Limit", elements)
	case err != nil:
		return m, ErrManifest.Because(err)
	case m.XMLName.Local != "manifest":
		return m, ErrManifest.Because(fmt.Errorf("the root element is %q", m.XMLName.Local))
	}
	return m, nil
}

// tokens reads the parts of an XML document and stops at one that is endless, at
// too many elements, and with the context: what a document costs is known before
// it is kept.
type tokens struct {
	ctx      context.Context
	document io.Reader
	decoder  *xml.Decoder
	left     int // bytes that the part in hand may still have
	elements int // that may still come
}

var (
	errPart     = errors.New("one tag, text or comment goes on and on")
	errElements = errors.New("too many elements")
	errEncoding = errors.New("the encoding is named twice")
)

func newTokens(ctx context.Context, document []byte, elements int) *tokens {
	t := &tokens{ctx: ctx, document: bytes.NewReader(document), elements: elements}
	t.decoder = xml.NewDecoder(t)
	named := false
	t.decoder.CharsetReader = func(label string, input io.Reader) (io.Reader, error) {
		if named { // each name would put one more reader around all others
			return nil, errEncoding
		}
		named = true
		if strings.HasPrefix(strings.ToLower(label), "utf-16") {
			return input, nil // toUTF8 has seen to it
		}
		return charset.NewReaderLabel(label, input)
	}
	return t
}

// Token is one part; xml.TokenReader.
func (t *tokens) Token() (xml.Token, error) {
	t.left = maxPart
	token, err := t.decoder.RawToken()
	if _, ok := token.(xml.StartElement); ok {
		if t.elements--; t.elements < 0 {
			return nil, errElements
		}
	}
	return token, err
}

// Read is what the decoder reads the document through.
func (t *tokens) Read(p []byte) (int, error) {
	if err := t.ctx.Err(); err != nil {
		return 0, err
	}
	if t.left <= 0 {
		return 0, errPart
	}
	n, err := t.document.Read(p)
	t.left -= n
	return n, err
}

// toUTF8 takes UTF-16 to UTF-8 and a byte order mark away. Without a mark, UTF-16
// shows by the form of its first "<" (XML 1.0, appendix F).
func toUTF8(raw []byte) []byte {
	big := false
	switch {
	case bytes.HasPrefix(raw, []byte{0xEF, 0xBB, 0xBF}):
		return raw[3:]
	case bytes.HasPrefix(raw, []byte{0xFE, 0xFF}):
		big, raw = true, raw[2:]
	case bytes.HasPrefix(raw, []byte{0xFF, 0xFE}):
		raw = raw[2:]
	case bytes.HasPrefix(raw, []byte{0, '<'}):
		big = true
	case !bytes.HasPrefix(raw, []byte{'<', 0}):
		return raw
	}
	units := make([]uint16, len(raw)/2)
	for i := range units {
		first, second := uint16(raw[2*i]), uint16(raw[2*i+1])
		if big {
			first, second = second, first
		}
		units[i] = first | second<<8
	}
	out := make([]byte, 0, len(raw))
	for _, r := range utf16.Decode(units) {
		out = utf8.AppendRune(out, r)
	}
	return out
}
