package lms

import (
	"fmt"
	"strconv"
	"strings"
)

// Money is an amount in US cents.
type Money int64

// String is the amount as people write it: "$5.00", "-$0.45".
func (m Money) String() string {
	sign := ""
	if m < 0 {
		sign, m = "-", -m
	}
	return fmt.Sprintf("%s$%d.%02d", sign, m/100, m%100)
}

// ParseMoney reads "5", "5.00" or "$5.00".
func ParseMoney(s string) (Money, error) {
	whole, part, dotted := strings.Cut(strings.TrimPrefix(strings.TrimSpace(s), "$"), ".")
	bad := fmt.Errorf("amount %q: want dollars and cents, such as 5.00", s)
	dollars, err := strconv.ParseUint(whole, 10, 32)
	if err != nil {
		return 0, bad
	}
	cents := uint64(0)
	if dotted {
		if cents, err = strconv.ParseUint(part, 10, 8); err != nil || len(part) != 2 {
			return 0, bad
		}
	}
	return Money(dollars*100 + cents), nil
}

// Hours is a number of clock hours, counted in quarter-hours: 1.25 h is 5.
type Hours int

// String is the number of clock hours without trailing zeros, but with one
// decimal at least: "1.0", "1.25".
func (h Hours) String() string {
	sign := ""
	if h < 0 {
		sign, h = "-", -h
	}
	return sign + strconv.Itoa(int(h/4)) + [...]string{".0", ".25", ".5", ".75"}[h%4]
}

// ParseHours reads a number of clock hours that is a whole number of quarters,
// such as "1.25".
func ParseHours(s string) (Hours, error) {
	f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || f < 0 || f > 1000 || f*4 != float64(int(f*4)) {
		return 0, fmt.Errorf("clock hours %q: want whole quarters, such as 1.25", s)
	}
	return Hours(f * 4), nil
}
