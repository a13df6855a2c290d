// Package blob keeps the bytes of course content in an S3 object store: streamed
// both ways, never whole in memory. Content is addressed by its SHA-256 and never
// changes; only the chunks of an upload under way are named otherwise. It knows no
// course and no database. Start at Open.
package blob

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"mopd/lms"
)

// Config says where the object store is.
type Config struct {
	Endpoint  string // host:port
	AccessKey string
	SecretKey string
	Bucket    string
	Secure    bool // over TLS
}

// Store is one bucket of an object store.
type Store struct {
	core   *minio.Core
	bucket string
}

// region spares the question which one a bucket is in; MinIO has only this one.
const region = "us-east-1"

// partSize is the most of one object that a Put holds in memory, in bytes.
const partSize = 16 << 20

// Open connects to the store and makes the bucket if it is missing.
//
// Errors: lms.ErrUnavailable.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	core, err := minio.NewCore(cfg.Endpoint, &minio.Options{
		Creds:      credentials.NewStaticV4(cfg.AccessKey, cfg.SecretKey, ""),
		Secure:     cfg.Secure,
		Region:     region,
		MaxRetries: 3,
	})
	if err != nil {
		return nil, fmt.Errorf("object store at %q: %w", cfg.Endpoint, err)
	}
	s := &Store{core: core, bucket: cfg.Bucket}
	exists, err := core.BucketExists(ctx, s.bucket)
	if err != nil {
		return nil, unavailable("look for bucket", s.bucket, err)
	}
	if exists {
		return s, nil
	}
	err = core.MakeBucket(ctx, s.bucket, minio.MakeBucketOptions{Region: region})
	if code := minio.ToErrorResponse(err).Code; err != nil && code != minio.BucketAlreadyOwnedByYou && code != minio.BucketAlreadyExists {
		return nil, unavailable("make bucket", s.bucket, err)
	}
	return s, nil
}

// Key is where content lies under its SHA-256.
func Key(sha [32]byte) string {
	digits := hex.EncodeToString(sha[:])
	return "sha256/" + digits[:2] + "/" + digits
}

// Put stores size bytes of r under a key, whole or not at all.
//
// Errors: lms.ErrUnavailable, also when r ends early or fails.
func (s *Store) Put(ctx context.Context, key string, r io.Reader, size int64) error {
	_, err := s.core.Client.PutObject(ctx, s.bucket, key, r, size, minio.PutObjectOptions{
		PartSize:    partSize,
		ContentType: "application/octet-stream",
		// Nothing needs no signature of its pieces, and the pieces of nothing, a lone end
		// mark, can stay behind on the connection and spoil the next request.
		DisableContentSha256: size == 0,
	})
	if err != nil {
		return unavailable("put", key, err)
	}
	return nil
}

// Get reads length bytes of an object from an offset on, or all the rest when
// length is negative. The caller closes it.
//
// Errors: lms.ErrNotFound, lms.ErrUnavailable.
func (s *Store) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	var opts minio.GetObjectOptions
	switch {
	case length == 0:
		found, err := s.Has(ctx, key)
		if err != nil {
			return nil, err
		}
		if !found {
			return nil, missing(key)
		}
		return http.NoBody, nil
	case length > 0:
		if err := opts.SetRange(offset, offset+length-1); err != nil {
			return nil, fmt.Errorf("range of %s: %w", key, err)
		}
	case offset > 0:
		if err := opts.SetRange(offset, 0); err != nil {
			return nil, fmt.Errorf("range of %s: %w", key, err)
		}
	}
	body, _, _, err := s.core.GetObject(ctx, s.bucket, key, opts)
	if err != nil {
		return nil, explain("get", key, err)
	}
	return body, nil
}

// Has tells whether there is an object under the key.
//
// Errors: lms.ErrUnavailable.
func (s *Store) Has(ctx context.Context, key string) (bool, error) {
	_, err := s.core.Client.StatObject(ctx, s.bucket, key, minio.StatObjectOptions{})
	switch err := explain("look for", key, err); {
	case err == nil:
		return true, nil
	case errors.Is(err, lms.ErrNotFound):
		return false, nil
	default:
		return false, err
	}
}

// Delete removes objects; one that is not there is no error.
//
// Errors: lms.ErrUnavailable.
func (s *Store) Delete(ctx context.Context, keys ...string) error {
	for _, key := range keys {
		err := explain("delete", key, s.core.RemoveObject(ctx, s.bucket, key, minio.RemoveObjectOptions{}))
		if err != nil && !errors.Is(err, lms.ErrNotFound) {
			return err
		}
	}
	return nil
}

// List is every key that begins with the prefix, in order.
//
// Errors: lms.ErrUnavailable.
func (s *Store) List(ctx context.Context, prefix string) ([]string, error) {
	ctx, cancel := context.WithCancel(ctx) // ends the listing when it fails halfway
	defer cancel()
	var keys []string
	for object := range s.core.Client.ListObjects(ctx, s.bucket, minio.ListObjectsOptions{Prefix: prefix, Recursive: true}) {
		if object.Err != nil {
			return nil, unavailable("list", prefix, object.Err)
		}
		keys = append(keys, object.Key)
	}
	return keys, nil
}

func missing(key string) error {
	return lms.ErrNotFound.Because(fmt.Errorf("object store: no %s", key))
}

func explain(what, key string, err error) error {
	if err == nil {
		return nil
	}
	if code := minio.ToErrorResponse(err).Code; code == minio.NoSuchKey {
		return missing(key)
	}
	return unavailable(what, key, err)
}

func unavailable(what, key string, err error) error {
	return lms.ErrUnavailable.Because(fmt.Errorf("object store: %s %s: %w", what, key, err))
}
