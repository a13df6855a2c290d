package accounts

import (
	"context"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/mail"
)

// letter is a mail whose words stand under "mail.NAME."; its button leads to a path
// of the application. Without a path it has none.
func (s *Service) letter(to, lang, name, path string) mail.Letter {
	text := func(part string) string { return s.Words.Text(lang, "mail."+name+"."+part) }
	l := mail.Letter{To: to, Lang: lang, Subject: text("subject"), Lines: []string{text("line")}, After: []string{text("after")}}
	if path != "" {
		l.Button = &mail.Button{Label: text("button"), URL: s.AppURL.Scheme + "://" + s.AppURL.Host + path}
	}
	return l
}

// leads are where the letters about an account lead that do not lead to its page.
var leads = map[string]string{"account_disabled": "", "account_enabled": "/sign-in"}

// tell mails a person at each address on file what was done to their account, with more
// lines after the letter's own.
func (s *Service) tell(ctx context.Context, tx pgx.Tx, p lms.Person, name string, more ...string) error {
	addresses, err := selectAddresses(ctx, tx, p.ID)
	if err != nil {
		return err
	}
	path, other := leads[name]
	if !other {
		path = "/account"
	}
	for _, to := range addresses {
		letter := s.letter(to, p.Lang, name, path)
		letter.Lines = append(letter.Lines, more...)
		if err := s.Mail.Post(ctx, tx, letter); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) codeLetter(to, lang, code string) mail.Letter {
	text := func(part string) string { return s.Words.Text(lang, "mail.code."+part) }
	return mail.Letter{To: to, Lang: lang, Subject: text("subject"), Lines: []string{text("line")}, Code: code, After: []string{text("after")}}
}
