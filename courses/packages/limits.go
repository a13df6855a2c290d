package packages

// Limits are the most that a package may be. Sizes are in bytes and are counted
// while decompressing.
type Limits struct {
	Package   int64 // the ZIP file
	Directory int64 // what may be read of it to learn its files
	Files     int
	Unpacked  int64 // all files
	File      int64 // one file
	Ratio     int64 // unpacked to packed, once RatioFrom bytes are unpacked
	RatioFrom int64
	Manifest  int64 // imsmanifest.xml
}

// Usual are the limits of the product.
var Usual = Limits{
	Package:   2 << 30,
	Directory: 8 << 20,
	Files:     10_000,
	Unpacked:  4 << 30,
	File:      1 << 30,
	Ratio:     100,
	RatioFrom: 64 << 20,
	Manifest:  5 << 20,
}

const (
	maxPath = 500      // bytes of a file's path
	maxText = 64 << 10 // bytes of what the manifest hands to the lesson; SCORM 1.2 asks for 4,096 characters
)
