//! The options in the units of the sampler's arithmetic, made once for the processor and the GPU alike.

use super::arithmetic::{HEAVIEST, Penalties, Scale, cleaned, weight};
use super::{MAX_RECENT, SamplerOptions};

/// As `top_p` or as a distance: nothing is left out.
pub const ALL: u32 = u32::MAX;

/// What `Sampler` needs of [`SamplerOptions`].
#[derive(Debug, Clone, PartialEq)]
pub struct Prepared {
    /// Takes the likeliest, whatever the filters.
    pub greedy: bool,
    /// The number of candidates kept; 0 keeps all.
    pub top_k: u32,
    /// The sum of probabilities to reach, in parts of 2^32, or [`ALL`].
    pub top_p: u32,
    /// The farthest distance that min-p keeps, at temperature 1, or [`ALL`].
    pub min_p_distance: u32,
    /// For the draw. The filters see temperature 1.
    pub temperature: Scale,
    pub penalties: Penalties,
    /// How many tokens are recent; 0 where there are no penalties.
    pub last_n: u32,
}

impl Prepared {
    /// Of options that are valid.
    pub fn new(options: &SamplerOptions) -> Self {
        let SamplerOptions { repetition_penalty, frequency_penalty, presence_penalty, .. } = *options;
        let penalties = Penalties {
            repetition: cleaned(repetition_penalty),
            reciprocal: cleaned(1.0 / repetition_penalty),
            frequency: cleaned(frequency_penalty),
            presence: cleaned(presence_penalty),
        };
        let penalises = repetition_penalty != 1.0 || frequency_penalty != 0.0 || presence_penalty != 0.0;
        Self {
            greedy: options.temperature == 0.0,
            top_k: u32::try_from(options.top_k).unwrap_or(u32::MAX),
            top_p: if options.top_p < 1.0 { (f64::from(options.top_p) * 2f64.powi(32)) as u32 } else { ALL },
            min_p_distance: min_p_distance(options.min_p),
            temperature: Scale::new(options.temperature),
            penalties,
            last_n: if penalises { options.penalty_last_n.min(MAX_RECENT) as u32 } else { 0 },
        }
    }
}

/// The largest distance whose weight is at least `p` times the heaviest. A logarithm would not be the same everywhere.
fn min_p_distance(p: f32) -> u32 {
    if p <= 0.0 {
        return ALL;
    }
    let least = (f64::from(p) * f64::from(HEAVIEST)).ceil() as u32;
    // The weight is enough at `near`, and not enough at `far`, where none is left.
    let (mut near, mut far) = (0, 32 << 25);
    while far - near > 1 {
        let middle = near + (far - near) / 2;
        if weight(middle) >= least { near = middle } else { far = middle }
    }
    near
}
