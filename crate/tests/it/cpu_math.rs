//! exp, softplus, silu, sigmoid and tanh of the fast CPU kernels against f64, within the bounds that `vectorised/math.rs` states.

use crate::support::emulated_stride;
use web_mamba::cpu::simd::Isa;
use web_mamba::cpu::vectorised::math::{Apply, Function};

/// Evenly spread and, near zero, by powers of ten.
fn arguments() -> Vec<f32> {
    let even = (-1_000_000..=1_000_000).step_by(emulated_stride(8)).map(|i| i as f32 * 1e-4);
    let small = (-30..2).flat_map(|e| [1.0, -1.0, 3.3, -7.7].map(|m: f32| m * 10f32.powi(e)));
    even.chain(small).collect()
}

fn worst(function: Function, exact: impl Fn(f64) -> Option<f64>) -> f64 {
    worst_by(function, |x, y| exact(x).map(|exact| (y - exact) / exact))
}

/// The largest error that `error` makes of an argument and what was found for it.
fn worst_by(function: Function, error: impl Fn(f64, f64) -> Option<f64>) -> f64 {
    let arguments = arguments();
    let run = |isa: Isa| {
        let mut values = arguments.clone();
        isa.run(Apply { function, values: &mut values });
        values
    };
    let portable = run(Isa::Portable);
    for isa in Isa::available() {
        let same = run(isa).iter().zip(&portable).all(|(a, b)| a.to_bits() == b.to_bits());
        assert!(same, "{function:?}, {isa:?}");
    }
    let errors = arguments.iter().zip(&portable).filter_map(|(&x, &y)| error(f64::from(x), f64::from(y)));
    errors.map(f64::abs).fold(0.0, f64::max)
}

#[test]
fn errors_are_within_the_stated_bounds() {
    let normal = |x: f64| (-87.3..=88.0).contains(&x);
    let exp = worst(Function::Exp, |x| normal(x).then(|| x.exp()));
    let softplus = worst(Function::Softplus, |x| normal(x).then(|| x.max(0.0) + (-x.abs()).exp().ln_1p()));
    let silu = worst(Function::Silu, |x| (normal(x) && x != 0.0).then(|| x / (1.0 + (-x).exp())));
    let sigmoid = worst(Function::Sigmoid, |x| normal(x).then(|| 1.0 / (1.0 + (-x).exp())));
    let tanh = worst_by(Function::Tanh, |x, y| Some(y - x.tanh()));
    assert!(sigmoid <= 2.5e-7 && tanh <= 1.5e-7, "sigmoid {sigmoid:e}, tanh {tanh:e}");
    println!("worst relative errors: exp {exp:.1e}, softplus {softplus:.1e}, silu {silu:.1e}");
    assert!(exp <= 1.2e-7 && softplus <= 3e-7 && silu <= 2.5e-7, "exp {exp:e}, softplus {softplus:e}, silu {silu:e}");
}

/// Beyond the bounds nothing becomes infinite, and no NaN disappears.
#[test]
fn extremes_stay_sane() {
    for isa in Isa::available() {
        let run = |function, value: f32| {
            let mut values = [value; 17];
            isa.run(Apply { function, values: &mut values });
            assert!(values.iter().all(|v| v.to_bits() == values[0].to_bits()), "{function:?}, {isa:?}");
            values[0]
        };
        assert!(run(Function::Exp, 1e30).is_finite() && (0.0..1e-37).contains(&run(Function::Exp, -1e30)));
        assert_eq!(run(Function::Softplus, 1e30), 1e30);
        assert!((0.0..1e-37).contains(&run(Function::Softplus, -1e30)));
        assert_eq!(run(Function::Silu, 1e30), 1e30);
        assert!(run(Function::Silu, -90.0).abs() < 1e-35);
        assert_eq!(
            [run(Function::Sigmoid, 1e30), run(Function::Tanh, 1e30), run(Function::Tanh, -1e30)],
            [1.0, 1.0, -1.0]
        );
        assert!((0.0..1e-37).contains(&run(Function::Sigmoid, -1e30)));
        assert!(run(Function::Sigmoid, f32::NAN).is_nan() && run(Function::Tanh, f32::NAN).is_nan(), "{isa:?}");
        assert!(run(Function::Silu, f32::NAN).is_nan() && run(Function::Softplus, f32::NAN).is_nan(), "{isa:?}");
    }
}
