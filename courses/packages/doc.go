// Package packages reads course packages that others made. A package is hostile
// until every byte of it has been read: nothing that its directory or headers claim
// is believed. The reader writes nothing, runs nothing and follows no address. It
// takes SCORM 1.2 with one lesson and knows the other standards by name, to refuse
// them clearly. Start at Read; manifest.go reads imsmanifest.xml.
package packages
