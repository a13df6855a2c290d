package mail

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

// HTTPGateway passes text messages to a service that takes {"to", "body"} as JSON.
type HTTPGateway struct {
	URL   string
	Token string // sent as a Bearer token
}

// A gateway that sends somewhere else would carry the message with it.
var gatewayClient = &http.Client{
	Timeout:       sendTimeout,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// SendText wants a 2xx. A 4xx is the gateway's last word, unless it asks for patience.
//
// Errors: ErrRefused.
func (g HTTPGateway) SendText(ctx context.Context, t Text) error {
	body, err := json.Marshal(map[string]string{"to": t.To, "body": t.Body})
	if err != nil {
		return fmt.Errorf("send a text message: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.URL, bytes.NewReader(body))
	if err != nil {
		return errors.New("send a text message: the gateway's URL cannot be read")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+g.Token)
	res, err := gatewayClient.Do(req)
	if failed, ok := errors.AsType[*url.Error](err); ok {
		err = failed.Err // without the URL
	}
	if err != nil {
		return fmt.Errorf("send a text message: %w", err)
	}
	defer res.Body.Close()
	switch code := res.StatusCode; {
	case code/100 == 2:
		return nil
	case code/100 == 4 && code != http.StatusRequestTimeout && code != http.StatusTooManyRequests:
		return fmt.Errorf("send a text message: %w: the gateway answered %d", ErrRefused, code)
	default:
		return fmt.Errorf("send a text message: the gateway answered %d", code)
	}
}
