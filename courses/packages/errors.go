package packages

import "mopd/lms"

// Why a package is refused. Each says what is wrong and what to do about it.
var (
	ErrTooLarge      = lms.NewError(lms.TooLarge, "package_too_large")     // Args: Limit (text)
	ErrTooManyFiles  = lms.NewError(lms.Invalid, "package_too_many_files") // Args: Limit
	ErrFileTooLarge  = lms.NewError(lms.Invalid, "package_file_too_large") // Args: File
	ErrBomb          = lms.NewError(lms.Invalid, "package_bomb")           // unpacks to far more than a course has
	ErrNotZIP        = lms.NewError(lms.Invalid, "package_not_zip")        // no ZIP file, or cut off
	ErrDamaged       = lms.NewError(lms.Invalid, "package_damaged")        // Args: File
	ErrEncrypted     = lms.NewError(lms.Invalid, "package_encrypted")      // Args: File
	ErrMethod        = lms.NewError(lms.Invalid, "package_method")         // Args: File
	ErrPath          = lms.NewError(lms.Invalid, "package_path")           // Args: File
	ErrLink          = lms.NewError(lms.Invalid, "package_link")           // Args: File
	ErrTwice         = lms.NewError(lms.Invalid, "package_twice")          // Args: File
	ErrNoManifest    = lms.NewError(lms.Invalid, "package_no_manifest")    // no imsmanifest.xml at the top
	ErrManifestSize  = lms.NewError(lms.Invalid, "package_manifest_size")  // imsmanifest.xml is too long
	ErrManifest      = lms.NewError(lms.Invalid, "package_manifest")       // imsmanifest.xml is no XML manifest
	ErrStandard      = lms.NewError(lms.Invalid, "package_standard")       // Args: Standard
	ErrNoLesson      = lms.NewError(lms.Invalid, "package_no_lesson")      // no SCO
	ErrLessons       = lms.NewError(lms.Invalid, "package_lessons")        // Args: Count
	ErrNoLaunch      = lms.NewError(lms.Invalid, "package_no_launch")      // the lesson names no file
	ErrLaunchOutside = lms.NewError(lms.Invalid, "package_launch_outside") // Args: File
	ErrLaunchMissing = lms.NewError(lms.Invalid, "package_launch_missing") // Args: File
	ErrReference     = lms.NewError(lms.Invalid, "package_reference")      // Args: Item
	ErrText          = lms.NewError(lms.Invalid, "package_text")           // Args: Name, Limit (bytes)
	ErrElements      = lms.NewError(lms.Invalid, "package_elements")       // Args: Limit
)
