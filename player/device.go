package player

import (
	"regexp"
	"strings"
)

// Device is what a request says about the machine that it comes from.
type Device struct {
	Computer bool
	Name     string // browser and system, such as "Chrome, Windows"
}

var handheld = regexp.MustCompile(`(?i)\b(iphone|ipod|ipad|android|mobile|silk|kindle|playbook|bb10|blackberry|windows phone|iemobile|opera mini|opera mobi|kaios|harmonyos|webos)\b|tablet;`)

// Systems and browsers by what stands in a user agent; the first that fits is it.
var (
	systems  = [][2]string{{"CrOS", "ChromeOS"}, {"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"Windows", "Windows"}, {"Mac OS X", "macOS"}, {"Linux", "Linux"}}
	browsers = [][2]string{{"Edg/", "Edge"}, {"OPR/", "Opera"}, {"Firefox/", "Firefox"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"}}
)

// DeviceOf judges by client hints where there are any, and by the user agent. A
// tablet that poses as a computer is left to the page, which sees its touch screen.
func DeviceOf(userAgent, hintMobile, hintPlatform string) Device {
	platform := strings.ToLower(strings.Trim(hintPlatform, `"`))
	hinted := hintMobile == "?1" || platform == "android" || platform == "ios"
	return Device{
		Computer: !hinted && !handheld.MatchString(userAgent),
		Name:     strings.Trim(first(browsers, userAgent)+", "+first(systems, userAgent), ", "),
	}
}

func first(of [][2]string, userAgent string) string {
	for _, one := range of {
		if strings.Contains(userAgent, one[0]) {
			return one[1]
		}
	}
	return ""
}
