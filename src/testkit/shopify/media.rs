//! Media files; one may be shown by several products.

use super::errors::FieldError;
use super::state::State;
use super::translation;
use super::value::{Args, Out, gid};
use crate::testkit::json::Json;
use crate::time::Timestamp;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MediaKind {
    /// An image.
    Image,
    /// A video that the shop hosts.
    Video,
    /// A video of another host.
    ExternalVideo,
    /// A 3D model.
    Model3d,
}

impl MediaKind {
    pub(super) fn type_name(self) -> &'static str {
        match self {
            Self::Image => "MediaImage",
            Self::Video => "Video",
            Self::ExternalVideo => "ExternalVideo",
            Self::Model3d => "Model3d",
        }
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Image => "IMAGE",
            Self::Video => "VIDEO",
            Self::ExternalVideo => "EXTERNAL_VIDEO",
            Self::Model3d => "MODEL_3D",
        }
    }
}

/// A media file as the shop keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Media {
    /// The number of its id.
    pub id: u64,
    /// What it is.
    pub kind: MediaKind,
    /// The text for those who do not see it; shared by all products that show the file.
    pub alt: Option<String>,
    /// `READY`, `PROCESSING`, `UPLOADED` or `FAILED`.
    pub status: String,
    /// Whether it is locked against changes.
    pub locked: bool,
    /// The address of the file.
    pub url: String,
    /// The width in pixels.
    pub width: i64,
    /// The height in pixels.
    pub height: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Media {
    /// Makes a file that is ready.
    #[must_use]
    pub fn new(id: u64, kind: MediaKind, url: &str, alt: Option<&str>, now: Timestamp) -> Self {
        Self {
            id,
            kind,
            alt: alt.map(str::to_owned),
            status: "READY".to_owned(),
            locked: false,
            url: url.to_owned(),
            width: 1600,
            height: 1200,
            created_at: now,
            updated_at: now,
        }
    }

    /// The id as clients see it.
    #[must_use]
    pub fn gid(&self) -> String {
        gid(self.kind.type_name(), self.id)
    }

    fn image(&self) -> Out {
        if self.status != "READY" {
            return Out::NULL;
        }
        Out::record(
            "Image",
            vec![
                ("id", Out::text(gid("ImageSource", self.id))),
                ("altText", Out::maybe(self.alt.as_ref())),
                ("url", Out::text(&self.url)),
                ("width", Out::int(self.width)),
                ("height", Out::int(self.height)),
            ],
        )
    }

    fn filename(&self) -> &str {
        self.url.rsplit('/').next().and_then(|name| name.split('?').next()).unwrap_or("file")
    }
}

/// A field of a file.
pub(super) fn field(state: &State, id: u64, name: &str, args: &Args) -> Result<Out, FieldError> {
    let Some(media) = state.media.get(&id) else { return Ok(Out::NULL) };
    let kind = media.kind;
    Ok(match name {
        "id" => Out::text(media.gid()),
        "alt" => Out::maybe(media.alt.as_ref()),
        "createdAt" => Out::time(media.created_at),
        "updatedAt" => Out::time(media.updated_at),
        "status" | "fileStatus" => Out::text(&media.status),
        "fileErrors" | "mediaErrors" | "mediaWarnings" => Out::List(Vec::new()),
        "mediaContentType" => Out::text(kind.content_type()),
        "preview" => Out::record(
            "MediaPreviewImage",
            vec![("image", media.image()), ("status", Out::text(&media.status))],
        ),
        "image" if kind == MediaKind::Image => media.image(),
        "mimeType" if kind == MediaKind::Image => Out::text("image/jpeg"),
        "originalSource" if kind == MediaKind::Image => Out::record(
            "MediaImageOriginalSource",
            vec![("url", Out::text(&media.url)), ("fileSize", Out::int(65_536))],
        ),
        "originalSource" => Out::NULL,
        "duration" => Out::int(12_000),
        "filename" => Out::text(media.filename()),
        "host" => Out::text("YOUTUBE"),
        "embedUrl" | "originUrl" => Out::text(&media.url),
        "sources" if kind == MediaKind::Video => Out::List(vec![Out::record(
            "VideoSource",
            vec![
                ("fileSize", Out::int(1_048_576)),
                ("format", Out::text("mp4")),
                ("height", Out::int(media.height)),
                ("mimeType", Out::text("video/mp4")),
                ("url", Out::text(&media.url)),
                ("width", Out::int(media.width)),
            ],
        )]),
        "sources" => Out::List(vec![Out::record(
            "Model3dSource",
            vec![
                ("filesize", Out::Json(Json::Int(1_048_576))),
                ("format", Out::text("glb")),
                ("mimeType", Out::text("model/gltf-binary")),
                ("url", Out::text(&media.url)),
            ],
        )]),
        "translations" => translation::published(state, &media.gid(), args),
        _ => return Err(FieldError::undefined(kind.type_name(), name)),
    })
}
