package web

import "strings"

// Field is one field of a form; the partial "field" shows it, "wrong_fields" lists
// what needs another look. Label, Hint and Wrong are keys of messages.
type Field struct {
	Name, Label, Hint, Type, Value string
	Autocomplete                   string // what a browser may fill in (WCAG 2.2 SC 1.3.5)
	Max                            int    // characters; 0: not limited here
	Required, Locked, Focus        bool
	Wrong                          string // "" if nothing is
}

// Described are the ids of the texts that describe the field.
func (f Field) Described() string {
	var ids []string
	if f.Hint != "" {
		ids = append(ids, f.Name+"-hint")
	}
	if f.Wrong != "" {
		ids = append(ids, f.Name+"-wrong")
	}
	return strings.Join(ids, " ")
}

// Kind is the type of the input.
func (f Field) Kind() string {
	if f.Type == "" {
		return "text"
	}
	return f.Type
}

// Fields are the fields of a form, in its order.
type Fields []Field

// Wrong are those that need another look.
func (f Fields) Wrong() (wrong Fields) {
	for _, field := range f {
		if field.Wrong != "" {
			wrong = append(wrong, field)
		}
	}
	return wrong
}

// With is the form with what is wrong: field -> code of its sentence, as in
// lms.Error.
func (f Fields) With(wrong map[string]string) Fields {
	marked := append(Fields{}, f...)
	for i, field := range marked {
		if code := wrong[field.Name]; code != "" {
			marked[i].Wrong = "error." + code
		}
	}
	return marked
}
