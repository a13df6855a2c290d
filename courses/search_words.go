package courses

import (
	"slices"
	"strings"
	"unicode"
)

// stopWords say nothing about a course, in English and in Spanish, folded.
var stopWords = strings.Fields(`
	a about all an and any are at by can course courses do does for from have how i in is it me my of on or the
	there to what which with you your
	al como con cual cuales curso cursos de del el en es hay la las lo los me mi mis para por que se su sus un una
	unos unas y o`)

// freeWords ask for courses without a fee.
var freeWords = []string{"free", "gratis", "gratuito", "gratuita", "gratuitos", "gratuitas"}

// wordsOf are the words of a query that a course must have, folded, and whether it
// asks for free courses. Stop words count only where there is nothing else.
func wordsOf(text string) (words []string, free bool) {
	var stops []string
	for _, word := range strings.Fields(fold(text)) {
		word = strings.Trim(word, ".,;:!?¡¿\"“”()")
		switch {
		case !strings.ContainsFunc(word, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }):
		case slices.Contains(freeWords, word):
			free = true
		case slices.Contains(stopWords, word):
			stops = append(stops, word)
		case !slices.Contains(words, word):
			words = append(words, word)
		}
	}
	if len(words) == 0 && !free {
		words = stops
	}
	return words, free
}
