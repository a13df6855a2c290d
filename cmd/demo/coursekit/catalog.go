package coursekit

import (
	"encoding/json"
	"fmt"
)

// CourseList is the demonstration's catalog: who offers the courses, and the courses.
type CourseList struct {
	Sponsor string   `json:"sponsor"`
	Trainer string   `json:"trainer"`
	Note    string   `json:"note"`
	Courses []Course `json:"courses"`
}

// Course is one row of the catalog. ClockHours is in hours and always whole quarters; FeeCents is in US cents, 0 for free;
// SafeSleep marks a course that meets the three-year safe sleep requirement.
type Course struct {
	Code       string   `json:"code"`
	Title      string   `json:"title"`
	ClockHours float64  `json:"clock_hours"`
	FeeCents   int      `json:"fee_cents"`
	Topics     []string `json:"topics"`
	Series     string   `json:"series"`
	SafeSleep  bool     `json:"safe_sleep"`
	Summary    string   `json:"summary"`
}

// Catalog reads the embedded catalog. It lists more courses than Codes: not all of them have a package.
func Catalog() (CourseList, error) {
	data, err := files.ReadFile("catalog.json")
	if err != nil {
		return CourseList{}, fmt.Errorf("read catalog: %w", err)
	}
	var list CourseList
	if err := json.Unmarshal(data, &list); err != nil {
		return CourseList{}, fmt.Errorf("parse catalog: %w", err)
	}
	return list, nil
}
