// Package payments will be finance's house: hosted checkout, webhooks, a
// double-entry ledger, refunds, disputes and reconciliation. A course with a fee
// cannot be registered for until it is there; what a person is told meanwhile is
// lms.ErrPaymentNotOpen.
package payments
