package courses

import (
	"fmt"

	"github.com/gofiber/fiber/v2"

	"mopd/lms"
	"mopd/lms/web"
)

// uploadHandlers answer the upload script, in JSON; dismiss answers a form.
type uploadHandlers struct {
	*Service
	web *web.Server
}

func (h uploadHandlers) begin(c *fiber.Ctx) error {
	var in struct {
		Filename string `json:"filename"`
		Size     int64  `json:"size"`
	}
	if err := c.BodyParser(&in); err != nil {
		return lms.ErrForm.Because(err)
	}
	id, err := h.BeginUpload(c.UserContext(), actor(c), c.Params("code"), in.Filename, in.Size, h.web.Now())
	if err != nil {
		return err
	}
	return c.Status(fiber.StatusCreated).JSON(fiber.Map{"id": id, "chunk_size": ChunkSize})
}

func (h uploadHandlers) chunk(c *fiber.Ctx) error {
	upload, err := web.Number[UploadID](c, "id")
	if err != nil {
		return err
	}
	n, err := c.ParamsInt("n")
	if err != nil {
		return ErrUploadChunk.Because(err)
	}
	if err := h.PutChunk(c.UserContext(), actor(c), upload, n, c.BodyRaw(), h.web.Now()); err != nil {
		return err
	}
	return c.SendStatus(fiber.StatusNoContent)
}

func (h uploadHandlers) finish(c *fiber.Ctx) error {
	upload, err := web.Number[UploadID](c, "id")
	if err != nil {
		return err
	}
	if err := h.FinishUpload(c.UserContext(), actor(c), upload, h.web.Now()); err != nil {
		return err
	}
	return h.status(c)
}

func (h uploadHandlers) cancel(c *fiber.Ctx) error {
	upload, err := web.Number[UploadID](c, "id")
	if err != nil {
		return err
	}
	if err := h.CancelUpload(c.UserContext(), actor(c), upload, h.web.Now()); err != nil {
		return err
	}
	return h.status(c)
}

// dismiss is a page's own form: it leads back to the page.
func (h uploadHandlers) dismiss(c *fiber.Ctx) error {
	upload, err := web.Number[UploadID](c, "id")
	if err != nil {
		return err
	}
	u, err := h.Upload(c.UserContext(), actor(c), upload)
	if err != nil {
		return err
	}
	if err := dismissUpload(c.UserContext(), h.DB, u.ID, h.web.Now()); err != nil {
		return err
	}
	return c.Redirect("/author/courses/"+u.Code, fiber.StatusSeeOther)
}

// uploadStatus is what the script shows.
type uploadStatus struct {
	State    UploadState `json:"state"`
	Step     Step        `json:"step"`
	Received []int32     `json:"received"`
	Refusal  string      `json:"refusal"` // a sentence; "" if it is not refused
	Next     string      `json:"next"`    // where the draft is shown; "" until it is
}

func (h uploadHandlers) status(c *fiber.Ctx) error {
	upload, err := web.Number[UploadID](c, "id")
	if err != nil {
		return err
	}
	u, err := h.Upload(c.UserContext(), actor(c), upload)
	if err != nil {
		return err
	}
	out := uploadStatus{State: u.State, Step: u.Step, Received: u.Received}
	if why := u.Why(); why != nil {
		out.Refusal = h.web.Sentence(c, why)
	}
	if u.Version != 0 {
		out.Next = fmt.Sprintf("/author/courses/%s?notice=version_ready#version-%d", u.Code, u.Version)
	}
	return c.JSON(out)
}
