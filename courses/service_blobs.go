package courses

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"mopd/courses/packages"
	"mopd/lms/blob"
	"mopd/lms/pg"
)

const storeAtOnce = 8

// content is what lies under one hash.
type content struct {
	size int64
	open func() (io.ReadCloser, error)
}

// keep stores a package's files and the package itself under their hashes, and
// tells the package's. What is stored already is not sent again.
func (s *Service) keep(ctx context.Context, p *packages.Package, raw io.ReaderAt, size int64, now time.Time) (sum [32]byte, err error) {
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(raw, 0, size)); err != nil {
		return sum, fmt.Errorf("read package: %w", err)
	}
	h.Sum(sum[:0])
	contents := map[[32]byte]content{}
	for _, f := range p.Files {
		contents[f.SHA256] = content{f.Size, func() (io.ReadCloser, error) { return p.Open(f.Path) }}
	}
	contents[sum] = content{size, func() (io.ReadCloser, error) { return io.NopCloser(io.NewSectionReader(raw, 0, size)), nil }}

	var sums [][]byte
	for sum := range contents {
		sums = append(sums, sum[:])
	}
	if err := wantBlobs(ctx, s.DB, sums, now); err != nil {
		return sum, err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(storeAtOnce)
	for sum, c := range contents {
		group.Go(func() error { return s.keepOne(ctx, sum, c) })
	}
	return sum, group.Wait()
}

func (s *Service) keepOne(ctx context.Context, sum [32]byte, c content) (err error) {
	key := blob.Key(sum)
	if found, err := s.Blobs.Has(ctx, key); found || err != nil {
		return err
	}
	r, err := c.open()
	if err != nil {
		return fmt.Errorf("read package again: %w", err)
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return s.Blobs.Put(ctx, key, &verified{r: r, hash: sha256.New(), left: c.size, want: sum}, c.size)
}

// verified holds back the last bytes of content that is not what was checked, so
// that a wrong object is never whole.
type verified struct {
	r    io.Reader
	hash hash.Hash
	left int64
	want [32]byte
}

var errChanged = errors.New("the package changed while it was read")

func (v *verified) Read(p []byte) (int, error) {
	n, err := v.r.Read(p)
	v.hash.Write(p[:n])
	v.left -= int64(n)
	if v.left <= 0 && [32]byte(v.hash.Sum(nil)) != v.want {
		return 0, errChanged
	}
	return n, err
}

const (
	unwantedAfter = 24 * time.Hour // longer than any publishing takes
	forgetAtOnce  = 500
)

// SweepBlobs removes content that no version has: what is left of a publishing that
// was killed, or that the store let down.
//
// Errors: lms.ErrUnavailable.
func (s *Service) SweepBlobs(ctx context.Context, now time.Time) error {
	for {
		var sums []digest
		err := pg.InTx(ctx, s.DB, func(tx pgx.Tx) (err error) {
			if sums, err = forgetBlobs(ctx, tx, now.Add(-unwantedAfter), forgetAtOnce); err != nil {
				return err
			}
			keys := make([]string, len(sums))
			for i, sum := range sums {
				keys[i] = blob.Key(sum)
			}
			// Within the transaction: whoever wants the same content waits for its
			// end, and then finds it gone and stores it again.
			return s.Blobs.Delete(ctx, keys...)
		})
		if err != nil || len(sums) < forgetAtOnce {
			return err
		}
	}
}
