package packages

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/unicode/norm"

	"mopd/lms"
)

// Package is a package that was read whole and found sound.
type Package struct {
	Manifest Manifest
	Size     int64 // of the ZIP file, in bytes
	Unpacked int64 // of all files, in bytes
	Files    []lms.File
	Warnings []Warning
	entries  map[string]*zip.File
}

// Read reads a package through to its last byte. It takes one folder around the
// whole package, as many tools make it, for the package itself.
//
// Errors: the refusals of this package; the context's; r's own.
func Read(ctx context.Context, r io.ReaderAt, size int64, limits Limits) (*Package, error) {
	if size > limits.Package {
		return nil, ErrTooLarge.With("Limit", megabytes(limits.Package))
	}
	p, err := open(r, size, limits)
	if err != nil {
		return nil, err
	}
	if err := p.findTop(); err != nil {
		return nil, err
	}
	if err := p.readManifest(ctx, limits); err != nil {
		return nil, err
	}
	if err := p.hash(ctx, limits); err != nil {
		return nil, err
	}
	p.compare()
	return p, nil
}

// Open opens a file of the package again, by its path.
func (p *Package) Open(path string) (io.ReadCloser, error) {
	entry, ok := p.entries[path]
	if !ok {
		return nil, lms.ErrNotFound.Because(fmt.Errorf("package: no file %q", path))
	}
	return entry.Open()
}

// budget is a reader that stops a directory which goes on and on.
type budget struct {
	io.ReaderAt
	left int64 // negative: no more
	open bool  // the directory was read: no limit any more
}

var errBudget = errors.New("the directory goes on and on")

func (b *budget) ReadAt(p []byte, off int64) (int, error) {
	if !b.open {
		if b.left -= int64(len(p)); b.left < 0 {
			return 0, errBudget
		}
	}
	return b.ReaderAt.ReadAt(p, off)
}

// open reads the directory and refuses what no course package has in it.
func open(r io.ReaderAt, size int64, limits Limits) (*Package, error) {
	b := &budget{ReaderAt: r, left: limits.Directory}
	archive, err := zip.NewReader(b, size)
	switch {
	case errors.Is(err, errBudget):
		return nil, ErrTooManyFiles.With("Limit", limits.Files).Because(err)
	case err != nil && !errors.Is(err, zip.ErrInsecurePath):
		return nil, ErrNotZIP.Because(err)
	}
	b.open = true
	if len(archive.File) > limits.Files {
		return nil, ErrTooManyFiles.With("Limit", limits.Files)
	}
	p := &Package{Size: size, entries: make(map[string]*zip.File, len(archive.File))}
	for _, f := range archive.File {
		name, err := nameOf(f)
		if err != nil {
			return nil, err
		}
		if strings.HasSuffix(name, "/") || litter(name) {
			continue
		}
		if err := refuseEntry(f, name); err != nil {
			return nil, err
		}
		if _, twice := p.entries[name]; twice {
			return nil, ErrTwice.With("File", shown(name))
		}
		p.entries[name] = f
	}
	return p, nil
}

// nameOf is an entry's path in Unicode's composed form, in which manifests and
// pages write it.
func nameOf(f *zip.File) (string, error) {
	name := f.Name
	if !utf8.ValidString(name) {
		// APPNOTE 6.3.10, appendix D: names that are not UTF-8 are code page 437.
		decoded, err := charmap.CodePage437.NewDecoder().String(name)
		if err != nil {
			return "", ErrPath.With("File", shown(name)).Because(err)
		}
		name = decoded
	}
	name = norm.NFC.String(name)
	if !safe(strings.TrimSuffix(name, "/")) {
		return "", ErrPath.With("File", shown(name))
	}
	return name, nil
}

// safe tells whether a path stays within the package on every computer.
func safe(name string) bool {
	return fs.ValidPath(name) && name != "." && len(name) <= maxPath &&
		!strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' || r == utf8.RuneError }) &&
		!drive(name)
}

func drive(name string) bool {
	return len(name) >= 2 && name[1] == ':' && (name[0]|0x20 >= 'a' && name[0]|0x20 <= 'z')
}

// litter is what computers leave in archives and no course asks for.
func litter(name string) bool {
	base := name[strings.LastIndexByte(name, '/')+1:]
	return strings.HasPrefix(name, "__MACOSX/") || base == ".DS_Store" || base == "Thumbs.db" || base == "desktop.ini"
}

func refuseEntry(f *zip.File, name string) error {
	const encrypted, strong = 1 << 0, 1 << 6 // APPNOTE 4.4.4
	switch {
	case f.Flags&(encrypted|strong) != 0:
		return ErrEncrypted.With("File", shown(name))
	case f.Mode()&fs.ModeSymlink != 0, !f.Mode().IsRegular():
		return ErrLink.With("File", shown(name))
	case f.Method != zip.Store && f.Method != zip.Deflate:
		return ErrMethod.With("File", shown(name))
	}
	return nil
}

// findTop takes away the one folder in which the whole package lies, if that is
// where its manifest is.
func (p *Package) findTop() error {
	if _, ok := p.entries[manifestName]; ok {
		return nil
	}
	top := ""
	for name := range p.entries {
		folder, _, inside := strings.Cut(name, "/")
		if !inside || (top != "" && folder != top) {
			return p.withoutManifest()
		}
		top = folder
	}
	if _, ok := p.entries[top+"/"+manifestName]; !ok {
		return p.withoutManifest()
	}
	inner := make(map[string]*zip.File, len(p.entries))
	for name, f := range p.entries {
		inner[strings.TrimPrefix(name, top+"/")] = f
	}
	p.entries = inner
	p.warn(WarnFolder, 1, top)
	return nil
}

// withoutManifest names the standard of a package that has another manifest.
func (p *Package) withoutManifest() error {
	for name := range p.entries {
		switch strings.ToLower(name[strings.LastIndexByte(name, '/')+1:]) {
		case "cmi5.xml":
			return ErrStandard.With("Standard", "cmi5")
		case "tincan.xml":
			return ErrStandard.With("Standard", "xAPI (Tin Can)")
		}
	}
	return ErrNoManifest
}

// hash reads every file to its end and counts what comes out.
func (p *Package) hash(ctx context.Context, limits Limits) error {
	names := make([]string, 0, len(p.entries))
	for name := range p.entries {
		names = append(names, name)
	}
	slices.Sort(names)
	meter := &meter{limits: limits, packed: p.Size}
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		file, err := meter.hash(ctx, name, p.entries[name])
		if err != nil {
			return err
		}
		p.Files = append(p.Files, file)
	}
	p.Unpacked = meter.total
	return nil
}

type meter struct {
	limits        Limits
	packed, total int64
}

func (m *meter) hash(ctx context.Context, name string, f *zip.File) (lms.File, error) {
	r, err := f.Open()
	if err != nil {
		return lms.File{}, ErrDamaged.With("File", shown(name)).Because(err)
	}
	defer r.Close()
	sum, crc := sha256.New(), crc32.NewIEEE()
	file := lms.File{Path: name, ContentType: ContentType(name)}
	buf := make([]byte, 64<<10)
	for {
		n, err := r.Read(buf)
		file.Size += int64(n)
		m.total += int64(n)
		switch {
		case file.Size > m.limits.File:
			return file, ErrFileTooLarge.With("File", shown(name)).With("Limit", megabytes(m.limits.File))
		case m.total > m.limits.Unpacked, m.total > m.limits.RatioFrom && m.total/m.limits.Ratio > m.packed:
			return file, ErrBomb
		}
		sum.Write(buf[:n])
		crc.Write(buf[:n])
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return file, ErrDamaged.With("File", shown(name)).Because(err)
		}
		if err := ctx.Err(); err != nil {
			return file, err
		}
	}
	// archive/zip takes a checksum of 0 for none.
	if crc.Sum32() != f.CRC32 {
		return file, ErrDamaged.With("File", shown(name)).Because(zip.ErrChecksum)
	}
	sum.Sum(file.SHA256[:0])
	return file, nil
}

// shown is a name of somebody else's as a sentence may quote it.
func shown(name string) string { return cut(name, 80) }

// cut is a text without control characters, of at most so many characters.
func cut(text string, most int) string {
	clean := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return '\uFFFD'
		}
		return r
	}, text)
	if utf8.RuneCountInString(clean) <= most {
		return clean
	}
	return string([]rune(clean)[:most-1]) + "…"
}

func megabytes(n int64) string {
	if n >= 1<<30 && n%(1<<30) == 0 {
		return fmt.Sprintf("%d GB", n>>30)
	}
	return fmt.Sprintf("%d MB", n>>20)
}
