package pglocal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
)

// owner is the user who runs Postgres. Postgres refuses root, so root lends it to somebody else.
type owner struct {
	name     string
	uid, gid uint32
	lent     bool // this process is root and the owner is not
}

// serverUser is this user, or, for root, whoever owns the folder from an earlier run, else the user that
// Debian's package makes for Postgres, else nobody.
func serverUser(dir string) (owner, error) {
	if os.Geteuid() != 0 {
		return owner{name: "this user", uid: uint32(os.Geteuid()), gid: uint32(os.Getegid())}, nil
	}
	info, err := os.Stat(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return owner{}, fmt.Errorf("read the Postgres folder: %w", err)
	}
	if err == nil {
		if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Uid != 0 {
			return owner{name: "user " + strconv.Itoa(int(st.Uid)), uid: st.Uid, gid: st.Gid, lent: true}, nil
		}
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.ParseUint(u.Uid, 10, 32)
		gid, errGID := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(errUID, errGID); err != nil {
			return owner{}, fmt.Errorf("look up user %s: %w", name, err)
		}
		return owner{name: "user " + name, uid: uint32(uid), gid: uint32(gid), lent: true}, nil
	}
	return owner{}, errors.New("start Postgres: it does not run as root, and there is no user postgres or nobody to run it")
}

func (o owner) credential() *syscall.Credential {
	if !o.lent {
		return nil
	}
	return &syscall.Credential{Uid: o.uid, Gid: o.gid}
}

func (o owner) own(path string) error {
	if !o.lent {
		return nil
	}
	if err := os.Chown(path, int(o.uid), int(o.gid)); err != nil {
		return fmt.Errorf("give %s to %s: %w", path, o.name, err)
	}
	return nil
}

// canEnter says, before Postgres fails with less clear words, which parent folder keeps its user out.
// Parents that do not exist yet keep nobody out.
func (o owner) canEnter(dir string) error {
	if !o.lent {
		return nil
	}
	for parent := filepath.Dir(dir); ; parent = filepath.Dir(parent) {
		info, err := os.Stat(parent)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read the Postgres folder: %w", err)
		}
		need := fs.FileMode(0o001)
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			switch {
			case st.Uid == o.uid:
				need = 0o100
			case st.Gid == o.gid:
				need = 0o010
			}
		}
		if info.Mode().Perm()&need == 0 {
			return fmt.Errorf("start Postgres: it does not run as root, and %s cannot enter %s: choose a folder elsewhere than %s",
				o.name, parent, dir)
		}
		if parent == filepath.Dir(parent) {
			return nil
		}
	}
}

// findBinaries is the folder with initdb and postgres: of the version that made the data, else the one
// in PATH, else the newest that Debian's packages installed.
func findBinaries(dataDir string) (string, error) {
	const debian = "/usr/lib/postgresql"
	var candidates []string
	if version, err := os.ReadFile(filepath.Join(dataDir, "PG_VERSION")); err == nil {
		candidates = append(candidates, filepath.Join(debian, strings.TrimSpace(string(version)), "bin"))
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			candidates = append(candidates, filepath.Dir(path))
		}
	}
	installed, err := filepath.Glob(debian + "/*/bin")
	if err != nil {
		return "", fmt.Errorf("look for Postgres: %w", err)
	}
	sort.Slice(installed, func(i, j int) bool { return majorOf(installed[i]) > majorOf(installed[j]) })
	for _, dir := range append(candidates, installed...) {
		if executable(filepath.Join(dir, "initdb")) && executable(filepath.Join(dir, "postgres")) {
			return dir, nil
		}
	}
	return "", errors.New("found no Postgres server (initdb, postgres) in PATH or " + debian + ": run scripts/setup.sh")
}

func majorOf(bin string) int {
	n, err := strconv.Atoi(filepath.Base(filepath.Dir(bin)))
	if err != nil {
		return 0
	}
	return n
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir() && info.Mode()&0o111 != 0
}
