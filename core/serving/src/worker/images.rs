//! Images to a tensor, by the steps that the version declares.

use std::io::Cursor;

use bytes::Bytes;
use image::imageops::FilterType;
use image::{DynamicImage, ImageReader, Limits};
use insula_core::prediction::{Datatype, Signature, Tensor};
use insula_core::registry::{Channels, Filter, Fit, ImageSteps, Layout, Resize};

use super::Done;

/// Largest side of an image that is read, in pixels.
const MAX_SIDE: u32 = 16_384;
/// Most memory that reading an image may take, in bytes.
const MAX_ALLOC: u64 = 256 * 1024 * 1024;

/// One tensor of all images, which must come out equally large.
pub(super) fn tensor(steps: &ImageSteps, files: &[Bytes], signature: &Signature) -> Done<Tensor> {
    let input = signature
        .input(steps.input.as_deref())
        .map_err(|error| error.to_string())?;
    let mut values = Vec::new();
    let mut size = None;
    for (place, file) in files.iter().enumerate() {
        let image = prepared(steps, read(file).map_err(|what| at(place, &what))?);
        let found = (image.width(), image.height());
        if *size.get_or_insert(found) != found {
            return Err(at(
                place,
                "it is not as large as the others, and the version says no size",
            ));
        }
        push(steps, &image, &mut values);
    }
    let (width, height) = size.ok_or("No image was sent.")?;
    let (width, height) = (width as usize, height as usize);
    let channels = steps.channels.count();
    let shape = match steps.layout {
        Layout::Nchw => vec![files.len(), channels, height, width],
        Layout::Nhwc => vec![files.len(), height, width, channels],
        Layout::Flat => vec![files.len(), height * width * channels],
    };
    let data: Vec<u8> = match input.datatype {
        Datatype::Fp32 => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        Datatype::Fp64 => values
            .iter()
            .flat_map(|value| f64::from(*value).to_le_bytes())
            .collect(),
        Datatype::Fp16 => values
            .iter()
            .flat_map(|value| half::f16::from_f32(*value).to_le_bytes())
            .collect(),
        // Rounds, and stays within its range.
        Datatype::Uint8 => values.iter().map(|value| value.round() as u8).collect(),
        other => {
            return Err(format!(
                "The model's input '{}' is of {other}, and no image.",
                input.name
            ));
        }
    };
    let tensor = Tensor::new(&input.name, input.datatype, shape, data.into());
    let fits = tensor.and_then(|tensor| {
        let alone = Signature {
            inputs: vec![input.clone()],
            outputs: Vec::new(),
        };
        alone.check(vec![tensor])
    });
    let mut fits = fits.map_err(|error| error.to_string())?;
    fits.pop().ok_or_else(|| "No image was sent.".into())
}

fn at(place: usize, what: &str) -> String {
    format!("Image {place}: {what}.")
}

fn read(file: &Bytes) -> Done<DynamicImage> {
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_ALLOC);
    let mut reader = ImageReader::new(Cursor::new(file))
        .with_guessed_format()
        .map_err(|error| error.to_string())?;
    if reader.format().is_none() {
        return Err("it is no PNG, JPEG, WebP or BMP".into());
    }
    reader.limits(limits);
    reader
        .decode()
        .map_err(|error| format!("it cannot be read: {}", error.to_string().trim_end_matches('.')))
}

/// Resized and cropped.
fn prepared(steps: &ImageSteps, image: DynamicImage) -> DynamicImage {
    // Before it is resized, as Pillow's `convert` in front of a transformation.
    let image = match steps.channels {
        Channels::Gray => DynamicImage::ImageLuma8(image.to_luma8()),
        Channels::Rgb | Channels::Bgr => DynamicImage::ImageRgb8(image.to_rgb8()),
    };
    let image = match steps.resize {
        Some(to) => resized(to, &image),
        None => image,
    };
    let Some(crop) = steps.crop else { return image };
    let (width, height) = (crop.width.min(image.width()), crop.height.min(image.height()));
    let (x, y) = ((image.width() - width) / 2, (image.height() - height) / 2);
    image.crop_imm(x, y, width, height)
}

fn resized(to: Resize, image: &DynamicImage) -> DynamicImage {
    let filter = match to.filter {
        Filter::Nearest => FilterType::Nearest,
        Filter::Bilinear => FilterType::Triangle,
        Filter::Bicubic => FilterType::CatmullRom,
        Filter::Lanczos => FilterType::Lanczos3,
    };
    let (width, height) = match to.fit {
        Fit::Stretch => (to.width, to.height),
        Fit::Cover => {
            let (width, height) = (f64::from(image.width()), f64::from(image.height()));
            let scale = (f64::from(to.width) / width).max(f64::from(to.height) / height);
            // What an extreme format would become is cut off anyway.
            let side = |length: f64, least: u32| ((length * scale).round() as u32).clamp(least, MAX_SIDE);
            (side(width, to.width), side(height, to.height))
        }
    };
    if (width, height) == (image.width(), image.height()) {
        return image.clone();
    }
    image.resize_exact(width, height, filter)
}

/// Adds an image's values in the order of the layout.
fn push(steps: &ImageSteps, image: &DynamicImage, values: &mut Vec<f32>) {
    let channels = steps.channels.count();
    let of = |all: &[f32], channel: usize, default: f32| match all {
        [] => default,
        [one] => *one,
        each => each.get(channel).copied().unwrap_or(default),
    };
    let pixels = image.as_bytes();
    let value = |pixel: usize, channel: usize| {
        let source = match steps.channels {
            Channels::Bgr => 2 - channel,
            Channels::Rgb | Channels::Gray => channel,
        };
        let byte = pixels.get(pixel * channels + source).copied().unwrap_or(0);
        (f32::from(byte) * steps.scale - of(&steps.mean, channel, 0.0)) / of(&steps.std, channel, 1.0)
    };
    let count = pixels.len() / channels;
    match steps.layout {
        Layout::Nchw => {
            for channel in 0..channels {
                values.extend((0..count).map(|pixel| value(pixel, channel)));
            }
        }
        Layout::Nhwc | Layout::Flat => {
            for pixel in 0..count {
                values.extend((0..channels).map(|channel| value(pixel, channel)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use insula_core::prediction::TensorSpec;
    use insula_core::prediction::json::numbers;
    use insula_core::registry::Size;

    /// An image of 4 × 2 pixels: red, green, blue, white, and below it black.
    fn png() -> Bytes {
        let mut pixels = [255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255].to_vec();
        pixels.extend([0; 12]);
        let image = image::RgbImage::from_raw(4, 2, pixels).unwrap();
        let mut file = Cursor::new(Vec::new());
        image.write_to(&mut file, image::ImageFormat::Png).unwrap();
        file.into_inner().into()
    }

    fn signature(datatype: Datatype, shape: &[i64]) -> Signature {
        Signature {
            inputs: vec![TensorSpec {
                name: "x".into(),
                datatype,
                shape: shape.to_vec(),
            }],
            outputs: Vec::new(),
        }
    }

    #[test]
    fn values_come_in_the_declared_order_and_scale() {
        let nchw = signature(Datatype::Fp32, &[-1, 3, -1, -1]);
        let steps = ImageSteps::default();
        let made = tensor(&steps, &[png()], &nchw).unwrap();
        assert_eq!(made.shape, [1, 3, 2, 4]);
        let values = numbers(&made).unwrap();
        assert_eq!(values[..4], [1.0, 0.0, 0.0, 1.0], "red first");
        assert_eq!(values[8..12], [0.0, 1.0, 0.0, 1.0], "then green");

        let bgr = ImageSteps {
            channels: Channels::Bgr,
            layout: Layout::Nhwc,
            scale: 1.0,
            mean: vec![1.0, 2.0, 3.0],
            std: vec![2.0],
            crop: Some(Size { width: 2, height: 2 }),
            ..ImageSteps::default()
        };
        let made = tensor(&bgr, &[png(), png()], &signature(Datatype::Fp32, &[-1, 2, 2, 3])).unwrap();
        assert_eq!(made.shape, [2, 2, 2, 3]);
        // The middle of the first row is green, then blue.
        assert_eq!(
            numbers(&made).unwrap()[..6],
            [-0.5, 126.5, -1.5, 127.0, -1.0, -1.5]
        );

        let gray = ImageSteps {
            channels: Channels::Gray,
            layout: Layout::Flat,
            scale: 1.0,
            resize: Some(Resize {
                width: 2,
                height: 1,
                fit: Fit::Stretch,
                filter: Filter::Bilinear,
            }),
            ..ImageSteps::default()
        };
        let made = tensor(&gray, &[png()], &signature(Datatype::Uint8, &[-1, 2])).unwrap();
        assert_eq!((made.shape.as_slice(), made.data.len()), ([1, 2].as_slice(), 2));
    }

    #[test]
    fn what_is_no_image_or_does_not_fit_is_told() {
        let steps = ImageSteps::default();
        let fits = signature(Datatype::Fp32, &[-1, 3, 2, 4]);
        assert!(tensor(&steps, &[png()], &fits).is_ok());
        assert!(tensor(&steps, &[png()], &signature(Datatype::Fp32, &[-1, 3, 8, 8])).is_err());
        assert!(tensor(&steps, &[png()], &signature(Datatype::Bytes, &[-1])).is_err());
        assert!(tensor(&steps, &[Bytes::from_static(b"GIF89a")], &fits).is_err());
        let cut = png().slice(..40);
        assert!(
            tensor(&steps, &[png(), cut], &fits)
                .unwrap_err()
                .starts_with("Image 1")
        );
        // 60,000 pixels wide and high, in a file of a few bytes.
        let mut bomb = png().to_vec();
        bomb[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
        assert!(tensor(&steps, &[bomb.into()], &fits).is_err());
    }
}
