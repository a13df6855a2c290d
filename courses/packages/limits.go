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
	Elements  int   // of imsmanifest.xml
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
	Elements:  50_000,
}

const (
	maxPath         = 500     // bytes of a file's path
	maxPart         = 1 << 20 // bytes of one tag, text or comment of the manifest, nearly
	maxAddress      = 2000    // bytes of an xml:base, an href, an item's parameters
	maxIdentifier   = 255     // bytes; it is part of a key of the database
	maxTitle        = 200     // characters, as of a course
	maxLaunchData   = 64_000  // bytes
	usualLaunchData = 4096    // characters: what SCORM 1.2 asks a system to take (RTE 1.2, cmi.launch_data)
)
