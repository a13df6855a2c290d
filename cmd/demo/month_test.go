package main

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mopd/cmd/internal/app"
	"mopd/lms/lmstest"
	"mopd/lms/pg"
	"mopd/lms/secrets"
)

func TestTheDemosMonthBalancesTiesItsPayoutsAndLeavesThreeExceptions(t *testing.T) {
	t.Parallel()
	store := lmstest.Store(t)
	port, err := strconv.Atoi(freePort(t))
	require.NoError(t, err)
	settings := app.Settings{
		Stores: app.Stores{DatabaseURL: lmstest.DatabaseURL(t), S3Endpoint: store.Endpoint, S3AccessKey: store.AccessKey, S3SecretKey: store.SecretKey, S3Bucket: store.Bucket},
		AppURL: "http://localhost:1", ContentHost: "localhost", SecretKey: strings.Repeat("k", 32),
		DataKeys: []string{secrets.NewKey()}, SMTPURL: "smtp://localhost", MailFrom: "no-reply@demo.example",
	}
	log := slog.New(slog.DiscardHandler)
	till, err := openTill(&runCommand{Port: port, Data: t.TempDir()}, &settings, log)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- till.Run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
	a, err := app.New(t.Context(), settings, time.Now, log)
	require.NoError(t, err)
	t.Cleanup(a.Close)

	now := time.Now()
	require.NoError(t, seed(t.Context(), a, newAppSecret(), now))
	require.NoError(t, seedMonth(t.Context(), a, till, now))
	require.NoError(t, seedMonth(t.Context(), a, till, now), "a month that is there stays")
	count := func(sql string) int {
		n, err := pg.Value[int](t.Context(), a.DB, "count", sql)
		require.NoError(t, err)
		return n
	}
	require.Equal(t, len(purchases), count(`SELECT count(*) FROM payments.orders WHERE state = 'paid'`))
	kinds, err := pg.Values[string](t.Context(), a.DB, "exceptions", `SELECT kind FROM payments.exceptions ORDER BY kind`)
	require.NoError(t, err)
	require.Equal(t, []string{"disputed", "refund_and_access", "wrong_fee"}, kinds)
	require.Equal(t, 3, count(`SELECT count(*) FROM payments.payouts WHERE lines_sum = amount AND reconciled_at IS NOT NULL`))
	require.Zero(t, count(`SELECT sum(amount) FROM payments.entry_lines`))
	require.Zero(t, count(`SELECT count(*) FROM river.river_job WHERE kind = 'send_mail'`), "nobody is sent letters of the past")
}
