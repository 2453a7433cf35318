package api

// Types of events about images. Their data has the image's id as image, and its names, with
// commas between them, or the one that the event is about, as name; both as they are shown,
// and no name if there is none.
const (
	// EventImagePulled, EventImageLoaded, EventImageImported and EventImageCommitted occur when
	// an image has come, also if it was there before.
	EventImagePulled    = "image.pulled"
	EventImageLoaded    = "image.loaded"
	EventImageImported  = "image.imported"
	EventImageCommitted = "image.committed"
	// EventImagePushed occurs when a registry has the image.
	EventImagePushed = "image.pushed"
	// EventImageTagged and EventImageUntagged occur when an image has got a name, or lost one
	// and stays.
	EventImageTagged   = "image.tagged"
	EventImageUntagged = "image.untagged"
	// EventImageRemoved occurs when an image is removed, with all its names.
	EventImageRemoved = "image.removed"
)

// Types of events about volumes, whose data has its name as volume.
const (
	EventVolumeCreated = "volume.created"
	EventVolumeRemoved = "volume.removed"
)
