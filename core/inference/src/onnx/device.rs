//! Where a model runs.

use std::fmt;
use std::str::FromStr;

/// The processor, or one of the machine's graphics cards.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Device {
    /// The processor.
    #[default]
    Cpu,
    /// The NVIDIA card of this number, from 0 in the order of the CUDA driver.
    Cuda(u16),
}

/// What a [`Device`] is written like.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be 'cpu', or 'cuda:' and the number of a card, as in 'cuda:0'")]
pub struct DeviceError;

impl FromStr for Device {
    type Err = DeviceError;

    fn from_str(text: &str) -> Result<Self, DeviceError> {
        match text.split_once(':') {
            None if text == "cpu" => Ok(Self::Cpu),
            None if text == "cuda" => Ok(Self::Cuda(0)),
            Some(("cuda", number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => {
                number.parse().map(Self::Cuda).map_err(|_| DeviceError)
            }
            _ => Err(DeviceError),
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(number) => write!(f, "cuda:{number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_reads_back_and_nothing_else_is_one() {
        for text in ["cpu", "cuda:0", "cuda:7"] {
            assert_eq!(text.parse::<Device>().unwrap().to_string(), text);
        }
        assert_eq!("cuda".parse(), Ok(Device::Cuda(0)));
        for text in [
            "",
            "CPU",
            "cuda:",
            "cuda:-1",
            "cuda:x",
            "cuda:70000",
            "rocm:0",
            "cpu:0",
            "cuda:+1",
        ] {
            assert_eq!(text.parse::<Device>(), Err(DeviceError), "{text}");
        }
    }
}
