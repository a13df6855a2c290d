package secrets

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func ring(t testing.TB, entries ...string) *Keyring {
	t.Helper()
	k, err := Parse(entries)
	require.NoError(t, err)
	return k
}

const row = "authenticator/12"

func TestWhatIsSealedOpensForItsContextAlone(t *testing.T) {
	t.Parallel()
	k := ring(t, NewKey())
	sealed := k.Seal([]byte("seed"), row)
	plain, err := k.Open(sealed, row)
	require.NoError(t, err)
	require.Equal(t, "seed", string(plain))
	require.NotContains(t, string(sealed), "seed")
	require.False(t, k.NeedsReseal(sealed))

	for _, other := range []string{"authenticator/13", "authenticator/1", "", row + "x"} {
		_, err := k.Open(sealed, other)
		require.ErrorIs(t, err, ErrNotSealed, other)
	}
}

func TestTheSameBytesAreNeverSealedAlike(t *testing.T) {
	t.Parallel()
	k := ring(t, NewKey())
	require.NotEqual(t, k.Seal([]byte("seed"), row), k.Seal([]byte("seed"), row))
}

func TestNoByteOfASealedValueCanBeChanged(t *testing.T) {
	t.Parallel()
	k := ring(t, NewKey())
	sealed := k.Seal([]byte("seed"), row)
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		_, err := k.Open(changed, row)
		require.Error(t, err, "byte %d", i)
	}
	for n := range sealed {
		_, err := k.Open(sealed[:n], row)
		require.Error(t, err, "the first %d bytes", n)
		k.NeedsReseal(sealed[:n])
	}
}

// The id of a key is only a label: another key under the same id must not open.
func TestAKeyIsKnownByItsBytes(t *testing.T) {
	t.Parallel()
	_, one, _ := strings.Cut(NewKey(), ":")
	_, other, _ := strings.Cut(NewKey(), ":")
	sealed := ring(t, "a:"+one).Seal([]byte("seed"), row)
	_, err := ring(t, "a:"+other).Open(sealed, row)
	require.ErrorIs(t, err, ErrNotSealed)
	_, err = ring(t, "b:"+one).Open(sealed, row)
	require.ErrorIs(t, err, ErrUnknownKey)
}

func TestKeysAreRotatedWithoutLosingWhatIsSealed(t *testing.T) {
	t.Parallel()
	old, fresh := NewKey(), NewKey()
	sealed := ring(t, old).Seal([]byte("seed"), row)

	both := ring(t, fresh, old)
	require.True(t, both.NeedsReseal(sealed))
	plain, err := both.Open(sealed, row)
	require.NoError(t, err)
	sealed = both.Seal(plain, row)
	require.False(t, both.NeedsReseal(sealed))

	plain, err = ring(t, fresh).Open(sealed, row)
	require.NoError(t, err)
	require.Equal(t, "seed", string(plain))
}

func TestAnythingOpensAsItWasSealed(t *testing.T) {
	t.Parallel()
	keys := []string{NewKey(), NewKey(), NewKey()}
	rapid.Check(t, func(t *rapid.T) {
		plain := rapid.SliceOf(rapid.Byte()).Draw(t, "plain")
		context, other := rapid.String().Draw(t, "context"), rapid.String().Draw(t, "other context")
		order := rapid.Permutation(keys).Draw(t, "keys")
		k, err := Parse(order)
		require.NoError(t, err)
		writer, err := Parse(order[rapid.IntRange(0, 2).Draw(t, "writer"):])
		require.NoError(t, err)
		sealed := writer.Seal(plain, context)
		opened, err := k.Open(sealed, context)
		require.NoError(t, err)
		require.True(t, bytes.Equal(plain, opened))
		require.Equal(t, writer.first != k.first, k.NeedsReseal(sealed))
		_, err = k.Open(sealed, other)
		require.Equal(t, context == other, err == nil)
	})
}

func FuzzOpen(f *testing.F) {
	k := ring(f, NewKey())
	f.Add([]byte{format, 200})
	f.Add([]byte("plain text"))
	f.Fuzz(func(t *testing.T, sealed []byte) {
		_, err := k.Open(sealed, row)
		require.Error(t, err, "nobody sealed this")
		k.NeedsReseal(sealed)
	})
}

func TestBadKeysAreRefusedInWordsThatQuoteNoKey(t *testing.T) {
	t.Parallel()
	good := NewKey()
	_, secret, _ := strings.Cut(good, ":")
	short := base64.StdEncoding.EncodeToString(make([]byte, 16))
	for _, c := range []struct {
		entries []string
		said    string
	}{
		{nil, "there is none"},
		{[]string{secret}, "data key 1: want id:base64"},
		{[]string{good, ":" + secret}, "data key 2: want id:base64"},
		{[]string{"über:" + secret}, "data key 1: want id:base64"},
		{[]string{strings.Repeat("x", 33) + ":" + secret}, "data key 1: want id:base64"},
		{[]string{"a:" + secret, "a:" + secret}, "data key a is there twice"},
		{[]string{"a:" + secret + "!"}, "data key a is not base64"},
		{[]string{"a:" + short}, "data key a has 16 bytes, want 32"},
		{[]string{"a:"}, "data key a has 0 bytes"},
	} {
		_, err := Parse(c.entries)
		require.ErrorContains(t, err, c.said)
		require.NotContains(t, err.Error(), secret)
	}
	ring(t, " "+good+"\n")
}
