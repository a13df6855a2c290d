package registry

import (
	"slices"
	"time"

	"mopd/lms"
)

// mostListed is how many of those whom a change of rule affects are listed by name.
const mostListed = 50

// PolicyEffects are whom a change of rule would affect, as counted at an instant.
type PolicyEffects struct {
	At     time.Time
	People int          // looked at
	Kept   int          // open enrollments, or credits in force, that keep the rule that made them
	Years  []YearEffect // of what a year asks for, the oldest first
	Sleep  SleepEffect
	Listed []Affected // some of them, those first who come to lack something
}

// YearEffect is how many people a change of rule would affect in a year.
type YearEffect struct {
	Year     int
	Asked    int // the year asks something else of them
	Short    int // they come to be short, and are not now
	NotShort int // they are short now, and come not to be
}

// SleepEffect is how many people's safe sleep training would be valid until another day.
type SleepEffect struct {
	Changed int
	Expired int // of them, it comes to be expired, and is not now
	Valid   int // of them, it is expired now, and comes to be valid
}

// Affected is somebody whom a change of rule would affect.
type Affected struct {
	Person lms.PersonID
	Name   string
	MOPDID lms.MOPDID
	Years  []Change // of what a year asks for
	Before lms.Date // last day on which safe sleep training is valid now; zero: it does not change
	After  lms.Date // and then
	lacks  bool     // something that they do not lack now
}

// compareYears notes how somebody's years would change. Who is short of a year that has
// not begun is not counted: everybody is.
func (e *PolicyEffects) compareYears(p lms.PersonID, before, after Allocation, this int) {
	e.People++
	a := Affected{Person: p}
	for _, is := range after.Years { // the same years: they follow from people and credits
		was := before.Year(is.Year)
		asked, short, notShort := was.Hours != is.Hours, was.Short() == 0 && is.Short() > 0, was.Short() > 0 && is.Short() == 0
		if is.Year > this {
			short, notShort = false, false
		}
		if !asked && !short && !notShort {
			continue
		}
		y := e.year(is.Year)
		y.Asked, y.Short, y.NotShort = y.Asked+one(asked), y.Short+one(short), y.NotShort+one(notShort)
		a.Years, a.lacks = append(a.Years, Change{was, is, is.Year > this}), a.lacks || short
	}
	if a.Years != nil {
		e.list(a)
	}
}

// compareSleep notes how somebody's safe sleep training would change.
func (e *PolicyEffects) compareSleep(p lms.PersonID, before, after lms.SafeSleep) {
	e.People++
	if before.Through == after.Through {
		return
	}
	was, is := before.State == lms.SafeSleepExpired, after.State == lms.SafeSleepExpired
	e.Sleep.Changed++
	e.Sleep.Expired, e.Sleep.Valid = e.Sleep.Expired+one(is && !was), e.Sleep.Valid+one(was && !is)
	e.list(Affected{Person: p, Before: before.Through, After: after.Through, lacks: is && !was})
}

func (e *PolicyEffects) year(year int) *YearEffect {
	i, found := slices.BinarySearchFunc(e.Years, year, func(y YearEffect, year int) int { return y.Year - year })
	if !found {
		e.Years = slices.Insert(e.Years, i, YearEffect{Year: year})
	}
	return &e.Years[i]
}

// list keeps somebody among those who are listed, before those who lack nothing.
func (e *PolicyEffects) list(a Affected) {
	i := len(e.Listed)
	if a.lacks {
		i = slices.IndexFunc(e.Listed, func(other Affected) bool { return !other.lacks })
		if i < 0 {
			i = len(e.Listed)
		}
	}
	if i < mostListed {
		e.Listed = slices.Insert(e.Listed, i, a)
		e.Listed = e.Listed[:min(len(e.Listed), mostListed)]
	}
}

func one(yes bool) int {
	if yes {
		return 1
	}
	return 0
}
