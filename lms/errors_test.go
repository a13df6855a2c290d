package lms_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"mopd/lms"
)

func TestAnErrorWithArgumentsAndACauseIsStillTheSameError(t *testing.T) {
	t.Parallel()
	e := lms.ErrWindowOver.With("Title", "Safe sleep").With("Last", 7).Because(io.ErrUnexpectedEOF).WithField("day", "form")
	wrapped := fmt.Errorf("start: %w", e)
	require.ErrorIs(t, wrapped, lms.ErrWindowOver)
	require.ErrorIs(t, wrapped, io.ErrUnexpectedEOF)
	require.NotErrorIs(t, wrapped, lms.ErrNotActive)

	found, ok := lms.AsError(wrapped)
	require.True(t, ok)
	require.Equal(t, map[string]any{"Title": "Safe sleep", "Last": 7}, found.Args)
	require.Equal(t, map[string]string{"day": "form"}, found.Fields)
	require.Equal(t, lms.Conflict, found.Kind)
}

func TestADeclaredErrorIsNeverChangedByItsUse(t *testing.T) {
	t.Parallel()
	first := lms.ErrForm.WithField("name", "name_missing").With("A", 1)
	second := first.WithField("email", "email_form").With("B", 2)
	require.Empty(t, lms.ErrForm.Args)
	require.Empty(t, lms.ErrForm.Fields)
	require.NoError(t, errors.Unwrap(lms.ErrForm))
	require.Len(t, first.Args, 1)
	require.Len(t, first.Fields, 1)
	require.Len(t, second.Args, 2)
	require.Len(t, second.Fields, 2)
}

func TestACauseIsForTheLogAlone(t *testing.T) {
	t.Parallel()
	e := lms.ErrUnavailable.Because(errors.New("connection refused"))
	require.Equal(t, "unavailable: connection refused", e.Error())
	require.Equal(t, "unavailable", lms.ErrUnavailable.Error())
	require.Equal(t, lms.ErrUnavailable.Code, e.Code)
}

func TestAnErrorOfAnotherTypeIsNoRefusal(t *testing.T) {
	t.Parallel()
	_, ok := lms.AsError(io.EOF)
	require.False(t, ok)
	require.NotErrorIs(t, lms.ErrForm, io.EOF)
}
