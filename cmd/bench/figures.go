package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// figure is something that is measured. What it gives has names that begin with its own.
type figure struct {
	name    string
	measure func(context.Context, *ground) ([]reading, error)
}

// figures are all that are measured, in this order, each on a product of its own.
var figures = []figure{
	{"webhook_p99", measureWebhooks},
	{"reconcile_10k", measureReconcile},
	{"credit_latency_p99", measureCredits},
	{"allocate_ms", measureAllocation},
	{"report_p99", measureReports},
}

// reading is one line of what is printed.
type reading struct {
	name     string
	value    float64
	unit     string
	baseline float64 // 0 if there is none
	goal     float64 // the value has to be below it
}

func (r reading) String() string {
	line := fmt.Sprintf("figure %s %s %s", r.name, decimals(r.value), r.unit)
	if r.baseline > 0 {
		line += fmt.Sprintf(" baseline %s ratio %.2f", decimals(r.baseline), r.value/r.baseline)
	}
	return line
}

// decimals writes a value with as many as say something.
func decimals(value float64) string {
	if value < 0.1 {
		return fmt.Sprintf("%.3f", value)
	}
	return fmt.Sprintf("%.2f", value)
}

// missed is an error if the goal is.
func (r reading) missed() error {
	if r.value < r.goal {
		return nil
	}
	return fmt.Errorf("%s is %.2f %s, and has to be below %g", r.name, r.value, r.unit, r.goal)
}

// choose is the figures that are named, by their first letters or by a line of theirs, or
// all.
func choose(only []string) ([]figure, error) {
	if len(only) == 0 {
		return figures, nil
	}
	wanted := map[string]bool{}
	for _, name := range only {
		found := false
		for _, f := range figures {
			if name != "" && strings.HasPrefix(f.name, name) || strings.HasPrefix(name, f.name+"_") {
				wanted[f.name], found = true, true
			}
		}
		if !found {
			return nil, fmt.Errorf("there is no figure %q", name)
		}
	}
	return slices.DeleteFunc(slices.Clone(figures), func(f figure) bool { return !wanted[f.name] }), nil
}
