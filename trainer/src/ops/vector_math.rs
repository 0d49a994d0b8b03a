//! Elementwise functions on vectors of any instruction set: the exponential function, the activations and their derivatives.
//!
//! Relative errors stay below 1e-6, which is what single precision in several steps gives.

use pulp::Simd;

use super::Activation;

/// `e^x`, with x held within -87..88 (what single precision can tell from 0 and infinity).
#[inline(always)]
pub(crate) fn exp<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let constant = |value| simd.splat_f32s(value);
    let x = simd.min_f32s(constant(88.0), simd.max_f32s(constant(-87.0), x));
    // x = n ln 2 + r: adding 1.5 * 2^23 rounds to a whole number, which then stands in the lowest bits.
    let rounded = simd.mul_add_e_f32s(x, constant(std::f32::consts::LOG2_E), constant(12_582_912.0));
    let n = simd.sub_f32s(rounded, constant(12_582_912.0));
    // ln 2 in two parts, the first with few enough bits for n times it to be exact.
    let r = simd.mul_add_e_f32s(n, constant(-0.693_359_4), x);
    let r = simd.mul_add_e_f32s(n, constant(2.121_944_4e-4), r);
    // Taylor's series; |r| <= ln 2 / 2, so the next term is 5e-9.
    let mut sum = constant(1.0 / 5040.0);
    for factor in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        sum = simd.mul_add_e_f32s(sum, r, constant(factor));
    }
    let exponent = simd.wrapping_dyn_shl_u32s(simd.transmute_u32s_f32s(rounded), simd.splat_u32s(23));
    let power = simd.transmute_f32s_u32s(simd.add_u32s(exponent, simd.splat_u32s(127 << 23)));
    simd.mul_f32s(sum, power)
}

/// `1 / (1 + e^-x)`.
#[inline(always)]
pub(crate) fn sigmoid<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let one = simd.splat_f32s(1.0);
    simd.div_f32s(one, simd.add_f32s(one, exp(simd, simd.neg_f32s(x))))
}

/// The normal distribution's density and distribution function at x.
#[inline(always)]
fn normal<S: Simd>(simd: S, x: S::f32s) -> (S::f32s, S::f32s) {
    /// `erfc(z) e^(z^2) = t q(t)` with `t = 1 / (1 + 0.4 z)`: q by least squares on the relative error, for z in 0..7.
    const Q: [f32; 10] = [
        0.225_744_26,
        0.224_274_98,
        0.220_209,
        0.106_285_75,
        0.336_642_7,
        -0.399_876_36,
        0.681_490_8,
        -0.596_285_3,
        0.238_365_65,
        -0.036_851_61,
    ];
    let constant = |value| simd.splat_f32s(value);
    let one = constant(1.0);
    let z = simd.mul_f32s(simd.abs_f32s(x), constant(std::f32::consts::FRAC_1_SQRT_2));
    let t = simd.div_f32s(one, simd.mul_add_e_f32s(z, constant(0.4), one));
    let mut q = constant(Q[9]);
    for factor in Q[..9].iter().rev() {
        q = simd.mul_add_e_f32s(q, t, constant(*factor));
    }
    let bell = exp(simd, simd.mul_f32s(simd.mul_f32s(x, x), constant(-0.5)));
    let tail = simd.mul_f32s(simd.mul_f32s(simd.mul_f32s(q, t), bell), constant(0.5));
    let negative = simd.less_than_f32s(x, constant(0.0));
    let below = simd.select_f32s(negative, tail, simd.sub_f32s(one, tail));
    // 1 / sqrt(2 pi)
    (simd.mul_f32s(bell, constant(0.398_942_3)), below)
}

/// An activation as a type, so that loops are compiled for each.
pub(crate) trait Act: Copy {
    /// The activation of x.
    fn value<S: Simd>(self, simd: S, x: S::f32s) -> S::f32s;

    /// `g` times its derivative at x.
    fn gradient<S: Simd>(self, simd: S, x: S::f32s, g: S::f32s) -> S::f32s;
}

/// Defines an activation of that name: its value at x, and g times its derivative at x.
macro_rules! activation {
    ($name:ident, |$simd:ident, $x:ident, $g:ident| $value:expr, $gradient:expr) => {
        #[derive(Clone, Copy)]
        pub(crate) struct $name;

        impl Act for $name {
            #[inline(always)]
            fn value<S: Simd>(self, $simd: S, $x: S::f32s) -> S::f32s {
                $value
            }

            #[inline(always)]
            fn gradient<S: Simd>(self, $simd: S, $x: S::f32s, $g: S::f32s) -> S::f32s {
                $gradient
            }
        }
    };
}

activation!(Identity, |_simd, x, g| x, {
    let _ = x;
    g
});

// The order of the arguments lets what is not a number through.
activation!(Relu, |simd, x, g| simd.max_f32s(simd.splat_f32s(0.0), x), {
    let zero = simd.splat_f32s(0.0);
    simd.select_f32s(simd.greater_than_f32s(x, zero), g, zero)
});

activation!(Relu6, |simd, x, g| simd.min_f32s(simd.splat_f32s(6.0), simd.max_f32s(simd.splat_f32s(0.0), x)), {
    let (zero, six) = (simd.splat_f32s(0.0), simd.splat_f32s(6.0));
    let positive = simd.select_f32s(simd.greater_than_f32s(x, zero), g, zero);
    simd.select_f32s(simd.less_than_f32s(x, six), positive, zero)
});

activation!(Silu, |simd, x, g| simd.mul_f32s(x, sigmoid(simd, x)), {
    let s = sigmoid(simd, x);
    // s (1 + x (1 - s))
    let inner = simd.mul_f32s(x, simd.sub_f32s(simd.splat_f32s(1.0), s));
    simd.mul_f32s(g, simd.mul_add_e_f32s(s, inner, s))
});

activation!(Sigmoid, |simd, x, g| sigmoid(simd, x), {
    let s = sigmoid(simd, x);
    simd.mul_f32s(g, simd.mul_f32s(s, simd.sub_f32s(simd.splat_f32s(1.0), s)))
});

activation!(Gelu, |simd, x, g| simd.mul_f32s(x, normal(simd, x).1), {
    let (density, below) = normal(simd, x);
    simd.mul_f32s(g, simd.mul_add_e_f32s(x, density, below))
});

/// Something that is done with an activation known at compile time.
pub(crate) trait WithAct {
    type Output;

    fn with_act<A: Act>(self, act: A) -> Self::Output;
}

impl Activation {
    /// Runs `op` with this activation.
    pub(crate) fn dispatch<W: WithAct>(self, op: W) -> W::Output {
        match self {
            Self::Identity => op.with_act(Identity),
            Self::Relu => op.with_act(Relu),
            Self::Relu6 => op.with_act(Relu6),
            Self::Silu => op.with_act(Silu),
            Self::Sigmoid => op.with_act(Sigmoid),
            Self::Gelu => op.with_act(Gelu),
        }
    }
}
