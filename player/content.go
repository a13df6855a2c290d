package player

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"mopd/lms"
	"mopd/lms/blob"
)

// fileTime is the longest that sending one file may take: a slow line and a long
// video.
const fileTime = time.Hour

func (s *Service) grant(ctx context.Context, label string, now time.Time) (grantRow, error) {
	return selectGrant(ctx, s.DB, label, now)
}

// filePath is the path within a package that a URL's path asks for. A folder means
// its index.html.
//
// Errors: lms.ErrNotFound for a path that leaves the package or names nothing.
func filePath(escaped string) (string, error) {
	path, err := url.PathUnescape(escaped)
	if err != nil || !utf8.ValidString(path) || strings.ContainsAny(path, "\\\x00") {
		return "", lms.ErrNotFound.Because(err)
	}
	path, rooted := strings.CutPrefix(path, "/")
	if !rooted {
		return "", lms.ErrNotFound
	}
	if path == "" || strings.HasSuffix(path, "/") {
		path += "index.html"
	}
	for part := range strings.SplitSeq(path, "/") {
		if part == "" || part == "." || part == ".." {
			return "", lms.ErrNotFound
		}
	}
	return path, nil
}

// byteRange is part of a file: length bytes from start on.
type byteRange struct{ start, length int64 }

var errRange = errors.New("range not satisfiable")

// parseRange reads a Range header of one range (RFC 9110 §14.2). nil: send all of
// it, as for a header that is missing, malformed or asks for several ranges.
//
// Errors: errRange.
func parseRange(header string, size int64) (*byteRange, error) {
	spec, ok := strings.CutPrefix(header, "bytes=")
	if !ok || strings.Contains(spec, ",") {
		return nil, nil
	}
	from, to, ok := strings.Cut(strings.TrimSpace(spec), "-")
	if !ok {
		return nil, nil
	}
	if from == "" {
		last, err := strconv.ParseUint(to, 10, 62)
		if err != nil {
			return nil, nil
		}
		if last == 0 || size == 0 {
			return nil, errRange
		}
		n := min(int64(last), size)
		return &byteRange{size - n, n}, nil
	}
	start, err := strconv.ParseUint(from, 10, 62)
	if err != nil {
		return nil, nil
	}
	end := uint64(size) - 1
	if to != "" {
		if end, err = strconv.ParseUint(to, 10, 62); err != nil || end < start {
			return nil, nil
		}
	}
	if int64(start) >= size {
		return nil, errRange
	}
	return &byteRange{int64(start), min(int64(end), size-1) - int64(start) + 1}, nil
}

// file sends a file of the version that the content host was granted.
func (h handlers) file(c *fiber.Ctx) error {
	path, err := filePath(string(c.Request().URI().PathOriginal()))
	if err != nil {
		return err
	}
	grant, err := h.s.grant(c.UserContext(), h.w.Label(c), h.w.Now())
	if err != nil {
		return err
	}
	f, err := h.s.Courses.File(c.UserContext(), grant.Version, path)
	if err != nil {
		return err
	}
	etag := `"` + hex.EncodeToString(f.SHA256[:]) + `"`
	if match := c.Get(fiber.HeaderIfNoneMatch); match == "*" || strings.Contains(match, etag) {
		keep(c, etag)
		return c.SendStatus(fiber.StatusNotModified)
	}
	part, partial := &byteRange{0, f.Size}, false
	if ifRange := c.Get(fiber.HeaderIfRange); ifRange == "" || ifRange == etag {
		asked, err := parseRange(c.Get(fiber.HeaderRange), f.Size)
		if err != nil {
			c.Set(fiber.HeaderCacheControl, "no-store")
			c.Set(fiber.HeaderContentRange, fmt.Sprintf("bytes */%d", f.Size))
			return c.SendStatus(fiber.StatusRequestedRangeNotSatisfiable)
		}
		if asked != nil {
			part, partial = asked, true
		}
	}
	bytes, err := h.s.read(c.UserContext(), f, part)
	if err != nil {
		return err
	}
	keep(c, etag)
	c.Set(fiber.HeaderContentType, contentType(f))
	if partial {
		c.Set(fiber.HeaderContentRange, fmt.Sprintf("bytes %d-%d/%d", part.start, part.start+part.length-1, f.Size))
		c.Status(fiber.StatusPartialContent)
	}
	return c.SendStream(bytes, int(part.length))
}

// keep lets the browser keep an answer for good: the host belongs to one person and
// one version, so what it serves never changes. It is said of bytes in hand only: a
// refusal would be kept as well.
func keep(c *fiber.Ctx, etag string) {
	c.Set(fiber.HeaderCacheControl, "private, max-age=31536000, immutable")
	c.Set(fiber.HeaderETag, etag)
	c.Set(fiber.HeaderAcceptRanges, "bytes")
}

// read opens part of a file. The bytes go out after the handler has returned and its
// deadline is cancelled, so they have one of their own.
func (s *Service) read(ctx context.Context, f lms.File, part *byteRange) (io.ReadCloser, error) {
	if part.length == 0 {
		return http.NoBody, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fileTime)
	length := part.length
	if part.start == 0 && length == f.Size {
		length = -1
	}
	r, err := s.Blobs.Get(ctx, blob.Key(f.SHA256), part.start, length)
	if err != nil {
		cancel()
		return nil, err
	}
	return body{r, cancel}, nil
}

// body lets go of its deadline when it is closed.
type body struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (b body) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}

// contentType is the recorded type. HTML keeps the charset that the page itself
// declares: old packages are often not UTF-8.
func contentType(f lms.File) string {
	if f.ContentType == "" {
		return fiber.MIMEOctetStream
	}
	return f.ContentType
}
