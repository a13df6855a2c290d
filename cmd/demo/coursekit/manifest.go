package coursekit

import (
	"encoding/xml"
	"fmt"
)

// manifestFile is the name that SCORM prescribes, at the root of the package (SCORM 1.2 CAM, section 2.3.2).
const manifestFile = "imsmanifest.xml"

// The types below write prefixed names as they stand, since encoding/xml would declare a namespace on every element.
type manifestXML struct {
	XMLName       xml.Name        `xml:"manifest"`
	Identifier    string          `xml:"identifier,attr"`
	Version       string          `xml:"version,attr"`
	Namespace     string          `xml:"xmlns,attr"`
	ADLNamespace  string          `xml:"xmlns:adlcp,attr"`
	Schema        string          `xml:"metadata>schema"`
	SchemaVersion string          `xml:"metadata>schemaversion"`
	Organizations organizationSet `xml:"organizations"`
	Resource      resourceXML     `xml:"resources>resource"`
}

type organizationSet struct {
	Default      string          `xml:"default,attr"`
	Organization organizationXML `xml:"organization"`
}

type organizationXML struct {
	Identifier string  `xml:"identifier,attr"`
	Title      string  `xml:"title"`
	Item       itemXML `xml:"item"`
}

type itemXML struct {
	Identifier   string `xml:"identifier,attr"`
	ResourceRef  string `xml:"identifierref,attr"`
	IsVisible    bool   `xml:"isvisible,attr"`
	Title        string `xml:"title"`
	MasteryScore int    `xml:"adlcp:masteryscore"`
}

type resourceXML struct {
	Identifier string    `xml:"identifier,attr"`
	Type       string    `xml:"type,attr"`
	ScormType  string    `xml:"adlcp:scormtype,attr"`
	Href       string    `xml:"href,attr"`
	Files      []fileXML `xml:"file"`
}

type fileXML struct {
	Href string `xml:"href,attr"`
}

// manifest describes one organization with one item, whose SCO is made of the given files (SCORM 1.2 CAM, section 2.3.5).
func (c course) manifest(content []entry) ([]byte, error) {
	organization, resource := c.Key+"-organization", c.Key+"-sco"
	list := make([]fileXML, 0, len(content))
	for _, e := range content {
		list = append(list, fileXML{e.name})
	}
	m := manifestXML{
		Identifier:    "mopd-" + c.Key,
		Version:       "1.0",
		Namespace:     "http://www.imsproject.org/xsd/imscp_rootv1p1p2",
		ADLNamespace:  "http://www.adlnet.org/xsd/adlcp_rootv1p2",
		Schema:        "ADL SCORM",
		SchemaVersion: "1.2",
		Organizations: organizationSet{
			Default: organization,
			Organization: organizationXML{
				Identifier: organization,
				Title:      c.Title,
				Item: itemXML{
					Identifier: c.Key + "-item", ResourceRef: resource, IsVisible: true,
					Title: c.Title, MasteryScore: PassMark,
				},
			},
		},
		Resource: resourceXML{Identifier: resource, Type: "webcontent", ScormType: "sco", Href: launchFile, Files: list},
	}
	data, err := xml.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write manifest: %w", err)
	}
	return append([]byte(xml.Header), append(data, '\n')...), nil
}
