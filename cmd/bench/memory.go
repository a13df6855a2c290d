package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// peakOf is how many megabytes of a running process were resident at most; 0 once it has
// ended. What the kernel tells of an ended child will not do: it counts the parent's
// memory at the fork as the child's.
func peakOf(pid int) float64 {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(raw)) {
		if size, found := strings.CutPrefix(line, "VmHWM:"); found {
			kilobytes, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(size), " kB"), 64)
			if err != nil {
				return 0
			}
			return kilobytes * 1024 / 1e6
		}
	}
	return 0
}
