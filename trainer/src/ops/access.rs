//! Reading a [`Source`] or a [`GradSource`] and writing through a [`GradSink`], a stretch of pixels at a time, while the
//! values are in the cache; and the sums that go with writing.
//!
//! All is done on the calling thread. An operation makes one reader or writer, splits its map into parts that depend on the
//! map's size alone, gives every part a [`PartSums`], and reduces them in the parts' order.

use std::ops::Range;

use pulp::{Arch, Simd};

use super::{
    Activation, ChannelSums, GradSink, GradSource, Source,
    lanes::{Body, expand, load, period, store, walk},
    vector_math::{Act, WithAct},
};

/// Per channel: scale and shift, in whole vectors.
#[derive(Debug, Clone)]
struct Norm {
    scale: Vec<f32>,
    shift: Vec<f32>,
}

impl Norm {
    /// Scale 1 and shift 0 where there is no norm.
    fn new(source: &Source<'_>, channels: usize) -> Self {
        let (scale, shift) = match source.norm {
            Some((scale, shift)) => (expand(scale), expand(shift)),
            None => (vec![1.0; period(channels)], vec![0.0; period(channels)]),
        };
        assert!(scale.len() == period(channels) && shift.len() == period(channels), "a norm of {channels} channels");
        Self { scale, shift }
    }
}

/// Where pixels of a map are in its values.
fn stretch(values: &[f32], pixels: Range<usize>, channels: usize) -> &[f32] {
    &values[pixels.start * channels..pixels.end * channels]
}

/// Reads `act(scale x + shift)`.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    source: Source<'a>,
    norm: Norm,
    channels: usize,
    arch: Arch,
}

impl<'a> Reader<'a> {
    /// For a map of so many channels.
    ///
    /// # Panics
    /// Where scale or shift have another length.
    pub fn new(source: Source<'a>, channels: usize) -> Self {
        Self::with_arch(Arch::new(), source, channels)
    }

    /// With a chosen instruction set.
    pub fn with_arch(arch: Arch, source: Source<'a>, channels: usize) -> Self {
        Self { source, norm: Norm::new(&source, channels), channels, arch }
    }

    /// The stored values where reading changes nothing: no copy is needed then.
    pub fn as_plain(&self, pixels: Range<usize>) -> Option<&'a [f32]> {
        self.source.is_plain().then(|| stretch(self.source.values, pixels, self.channels))
    }

    /// The pixels as they are read: into `scratch`, or in place where reading changes nothing.
    ///
    /// # Panics
    /// Where `scratch` is shorter than the pixels.
    pub fn view<'b>(&self, pixels: Range<usize>, scratch: &'b mut [f32]) -> &'b [f32]
    where
        'a: 'b,
    {
        match self.as_plain(pixels.clone()) {
            Some(values) => values,
            None => {
                let out = &mut scratch[..pixels.len() * self.channels];
                self.read(pixels, out);
                out
            }
        }
    }

    /// Reads pixels into `out`.
    ///
    /// # Panics
    /// Where `out` has another length than the pixels, or the map has fewer pixels.
    pub fn read(&self, pixels: Range<usize>, out: &mut [f32]) {
        let values = stretch(self.source.values, pixels, self.channels);
        assert_eq!(values.len(), out.len());
        if self.source.is_plain() {
            out.copy_from_slice(values);
            return;
        }
        self.source.activation.dispatch(Read { reader: self, values, out });
    }
}

struct Read<'a, 'b> {
    reader: &'b Reader<'a>,
    values: &'b [f32],
    out: &'b mut [f32],
}

impl WithAct for Read<'_, '_> {
    type Output = ();

    fn with_act<A: Act>(self, act: A) {
        let Norm { scale, shift } = &self.reader.norm;
        let body = ReadBody {
            act,
            x: self.values.as_ptr(),
            scale: scale.as_ptr(),
            shift: shift.as_ptr(),
            out: self.out.as_mut_ptr(),
        };
        // SAFETY: values and out have the same length, the tables the period's; out is borrowed mutably.
        unsafe { walk(self.reader.arch, self.out.len(), scale.len(), body) };
    }
}

struct ReadBody<A> {
    act: A,
    x: *const f32,
    scale: *const f32,
    shift: *const f32,
    out: *mut f32,
}

impl<A: Act> Body for ReadBody<A> {
    #[inline(always)]
    unsafe fn step<S: Simd, const G: usize>(&mut self, simd: S, table: usize, at: usize, stride: usize) {
        // SAFETY: the caller's.
        unsafe {
            let (scale, shift) = (load::<S>(self.scale, table), load::<S>(self.shift, table));
            for at in (0..G).map(|g| at + g * stride) {
                let x = simd.mul_add_e_f32s(load::<S>(self.x, at), scale, shift);
                store::<S>(self.out, at, self.act.value(simd, x));
            }
        }
    }
}

/// Reads a gradient: the values, or `a values + b y + c`.
#[derive(Debug, Clone)]
pub struct GradReader<'a> {
    source: GradSource<'a>,
    factors: [Vec<f32>; 3],
    channels: usize,
    arch: Arch,
}

impl<'a> GradReader<'a> {
    /// For a map of so many channels.
    ///
    /// # Panics
    /// Where the factors have another length.
    pub fn new(source: GradSource<'a>, channels: usize) -> Self {
        Self::with_arch(Arch::new(), source, channels)
    }

    /// With a chosen instruction set.
    pub fn with_arch(arch: Arch, source: GradSource<'a>, channels: usize) -> Self {
        let factors = source.norm.map(|(_, factors)| factors.map(expand)).unwrap_or_default();
        assert!(source.norm.is_none() || factors.iter().all(|f| f.len() == period(channels)), "{channels} channels");
        Self { source, factors, channels, arch }
    }

    /// The pixels as they are read: into `scratch`, or in place where reading changes nothing.
    ///
    /// # Panics
    /// Where `scratch` is shorter than the pixels.
    pub fn view<'b>(&self, pixels: Range<usize>, scratch: &'b mut [f32]) -> &'b [f32]
    where
        'a: 'b,
    {
        if self.source.norm.is_none() {
            return stretch(self.source.values, pixels, self.channels);
        }
        let out = &mut scratch[..pixels.len() * self.channels];
        self.read(pixels, out);
        out
    }

    /// Reads pixels into `out`.
    ///
    /// # Panics
    /// Where `out` has another length than the pixels, or the map has fewer pixels.
    pub fn read(&self, pixels: Range<usize>, out: &mut [f32]) {
        let values = stretch(self.source.values, pixels.clone(), self.channels);
        assert_eq!(values.len(), out.len());
        let Some((raw, _)) = self.source.norm else {
            out.copy_from_slice(values);
            return;
        };
        let raw = stretch(raw, pixels, self.channels);
        let body = GradBody {
            gradient: values.as_ptr(),
            raw: raw.as_ptr(),
            factors: [0, 1, 2].map(|i| self.factors[i].as_ptr()),
            out: out.as_mut_ptr(),
        };
        // SAFETY: the three stretches have the same length, the tables the period's.
        unsafe { walk(self.arch, out.len(), self.factors[0].len(), body) };
    }
}

struct GradBody {
    gradient: *const f32,
    raw: *const f32,
    factors: [*const f32; 3],
    out: *mut f32,
}

impl Body for GradBody {
    #[inline(always)]
    unsafe fn step<S: Simd, const G: usize>(&mut self, simd: S, table: usize, at: usize, stride: usize) {
        // SAFETY: the caller's.
        unsafe {
            let a = load::<S>(self.factors[0], table);
            let b = load::<S>(self.factors[1], table);
            let c = load::<S>(self.factors[2], table);
            for at in (0..G).map(|g| at + g * stride) {
                let y = simd.mul_add_e_f32s(load::<S>(self.raw, at), b, c);
                store::<S>(self.out, at, simd.mul_add_e_f32s(load::<S>(self.gradient, at), a, y));
            }
        }
    }
}

/// Sums of one part of a map: in single precision over some hundred pixels, in double precision beyond.
#[derive(Debug, Clone)]
pub struct PartSums {
    sum: Vec<f32>,
    product: Vec<f32>,
    periods: usize,
    total: ChannelSums,
    arch: Arch,
}

impl PartSums {
    /// Periods that are summed in single precision.
    const SINGLE: usize = 256;

    /// Zeros.
    pub fn new(channels: usize) -> Self {
        Self::with_arch(Arch::new(), channels)
    }

    /// With a chosen instruction set.
    pub fn with_arch(arch: Arch, channels: usize) -> Self {
        let zeros = vec![0.0; period(channels)];
        let total = ChannelSums { sum: vec![0.0; channels], product: vec![0.0; channels] };
        Self { sum: zeros.clone(), product: zeros, periods: 0, total, arch }
    }

    /// Adds the sums of whole pixels and of their squares.
    pub fn add(&mut self, x: &[f32]) {
        self.add_products(x, x);
    }

    /// Adds the sums of `x` and of `x y` over whole pixels.
    ///
    /// # Panics
    /// Where the lengths disagree.
    pub fn add_products(&mut self, x: &[f32], y: &[f32]) {
        assert_eq!(x.len(), y.len());
        for at in self.stretches(x.len()) {
            let (x, y) = (&x[at.clone()], &y[at]);
            self.account(x.len());
            let body = SumBody {
                x: x.as_ptr(),
                y: y.as_ptr(),
                sum: self.sum.as_mut_ptr(),
                product: self.product.as_mut_ptr(),
            };
            // SAFETY: x and y have the same length, the tables the period's.
            unsafe { walk(self.arch, x.len(), self.sum.len(), body) };
        }
    }

    /// Stretches of whole periods, each short enough for single precision.
    fn stretches(&self, len: usize) -> impl Iterator<Item = Range<usize>> + use<> {
        let step = Self::SINGLE * self.sum.len();
        (0..len).step_by(step).map(move |from| from..(from + step).min(len))
    }

    /// Makes room for so many values.
    fn account(&mut self, len: usize) {
        let periods = len.div_ceil(self.sum.len());
        if self.periods + periods > Self::SINGLE {
            self.flush();
        }
        self.periods += periods;
    }

    fn flush(&mut self) {
        let channels = self.total.sum.len();
        for (single, total) in [(&mut self.sum, &mut self.total.sum), (&mut self.product, &mut self.total.product)] {
            for pixel in single.chunks_exact_mut(channels) {
                for (value, total) in pixel.iter_mut().zip(total.iter_mut()) {
                    *total += f64::from(std::mem::take(value));
                }
            }
        }
        self.periods = 0;
    }
}

struct SumBody {
    x: *const f32,
    y: *const f32,
    sum: *mut f32,
    product: *mut f32,
}

impl Body for SumBody {
    #[inline(always)]
    unsafe fn step<S: Simd, const G: usize>(&mut self, simd: S, table: usize, at: usize, stride: usize) {
        // SAFETY: the caller's.
        unsafe {
            let (mut sum, mut product) = (load::<S>(self.sum, table), load::<S>(self.product, table));
            for at in (0..G).map(|g| at + g * stride) {
                let x = load::<S>(self.x, at);
                sum = simd.add_f32s(sum, x);
                product = simd.mul_add_e_f32s(x, load::<S>(self.y, at), product);
            }
            store::<S>(self.sum, table, sum);
            store::<S>(self.product, table, product);
        }
    }
}

impl ChannelSums {
    /// Zeros.
    pub fn zeros(channels: usize) -> Self {
        Self { sum: vec![0.0; channels], product: vec![0.0; channels] }
    }

    /// The sum of parts, in their order (which must not depend on the threads).
    pub fn reduce(channels: usize, parts: impl IntoIterator<Item = PartSums>) -> Self {
        let mut all = Self::zeros(channels);
        for mut part in parts {
            part.flush();
            all.add(&part.total);
        }
        all
    }

    fn add(&mut self, other: &Self) {
        for (into, from) in [(&mut self.sum, &other.sum), (&mut self.product, &other.product)] {
            into.iter_mut().zip(from).for_each(|(into, from)| *into += from);
        }
    }
}

/// Writes input gradients: times the activation's derivative, added where the sink says so, and summed.
#[derive(Debug, Clone)]
pub struct Writer<'a> {
    input: Source<'a>,
    accumulate: bool,
    norm: Norm,
    channels: usize,
    arch: Arch,
}

impl<'a> GradSink<'a> {
    /// The writer, the values that it writes (split them into parts, and hand each to [`Writer::write`]), and the sums that
    /// are asked for.
    pub fn split(self, channels: usize) -> (Writer<'a>, &'a mut [f32], Option<&'a mut ChannelSums>) {
        (Writer::new(self.input, self.accumulate, channels), self.values, self.sums)
    }
}

impl<'a> Writer<'a> {
    /// For gradients of the map that was read as `input`.
    ///
    /// # Panics
    /// Where scale or shift have another length than `channels`.
    pub fn new(input: Source<'a>, accumulate: bool, channels: usize) -> Self {
        Self::with_arch(Arch::new(), input, accumulate, channels)
    }

    /// With a chosen instruction set.
    pub fn with_arch(arch: Arch, input: Source<'a>, accumulate: bool, channels: usize) -> Self {
        Self { input, accumulate, norm: Norm::new(&input, channels), channels, arch }
    }

    /// Whether a gradient may be computed into its final place and be finished there by [`Writer::finish`].
    pub fn is_in_place(&self) -> bool {
        !self.accumulate
    }

    /// Writes the gradient of the pixels from `first` on to `into`, their place in the sink's values.
    ///
    /// # Panics
    /// Where `gradient` and `into` differ in length, or the input has fewer pixels.
    pub fn write(&self, first: usize, gradient: &[f32], into: &mut [f32], sums: Option<&mut PartSums>) {
        assert_eq!(gradient.len(), into.len());
        self.write_from(first, Some(gradient), into, sums);
    }

    /// The same where the gradient already is in its place.
    ///
    /// # Panics
    /// Where the sink accumulates, or the input has fewer pixels.
    pub fn finish(&self, first: usize, values: &mut [f32], sums: Option<&mut PartSums>) {
        assert!(self.is_in_place());
        if self.input.activation != Activation::Identity || sums.is_some() {
            self.write_from(first, None, values, sums);
        }
    }

    fn write_from(&self, first: usize, gradient: Option<&[f32]>, into: &mut [f32], mut sums: Option<&mut PartSums>) {
        let pixels = into.len() / self.channels;
        assert_eq!(pixels * self.channels, into.len());
        let raw = stretch(self.input.values, first..first + pixels, self.channels);
        let whole = PartSums::SINGLE * period(self.channels);
        for (at, into) in into.chunks_mut(whole).enumerate() {
            let at = at * whole..at * whole + into.len();
            let (gradient, raw) = (gradient.map(|g| &g[at.clone()]), &raw[at]);
            self.input.activation.dispatch(Write { writer: self, gradient, raw, into, sums: sums.as_deref_mut() });
        }
    }
}

struct Write<'a, 'b> {
    writer: &'b Writer<'a>,
    /// In `into` where there is none.
    gradient: Option<&'b [f32]>,
    raw: &'b [f32],
    into: &'b mut [f32],
    sums: Option<&'b mut PartSums>,
}

impl WithAct for Write<'_, '_> {
    type Output = ();

    fn with_act<A: Act>(self, act: A) {
        let Norm { scale, shift } = &self.writer.norm;
        let (period, len) = (scale.len(), self.into.len());
        let into = self.into.as_mut_ptr();
        let mut body = WriteBody {
            act,
            gradient: self.gradient.map_or(into.cast_const(), <[f32]>::as_ptr),
            raw: self.raw.as_ptr(),
            scale: scale.as_ptr(),
            shift: shift.as_ptr(),
            into,
            sums: None,
        };
        if let Some(sums) = self.sums {
            assert_eq!(sums.sum.len(), period);
            sums.account(len);
            body.sums = Some((sums.sum.as_mut_ptr(), sums.product.as_mut_ptr()));
        }
        // SAFETY: gradient, raw and `into` have the same length, the tables the period's; where the gradient is in `into`,
        // every place is read before it is written.
        unsafe {
            match (self.writer.accumulate, body.sums.is_some()) {
                (false, false) => walk(self.writer.arch, len, period, Variant::<_, false, false>(body)),
                (false, true) => walk(self.writer.arch, len, period, Variant::<_, false, true>(body)),
                (true, false) => walk(self.writer.arch, len, period, Variant::<_, true, false>(body)),
                (true, true) => walk(self.writer.arch, len, period, Variant::<_, true, true>(body)),
            }
        }
    }
}

struct WriteBody<A> {
    act: A,
    gradient: *const f32,
    raw: *const f32,
    scale: *const f32,
    shift: *const f32,
    into: *mut f32,
    sums: Option<(*mut f32, *mut f32)>,
}

/// Whether the gradient is added, and whether it is summed.
struct Variant<A, const ADD: bool, const SUM: bool>(WriteBody<A>);

impl<A: Act, const ADD: bool, const SUM: bool> Body for Variant<A, ADD, SUM> {
    #[inline(always)]
    unsafe fn step<S: Simd, const G: usize>(&mut self, simd: S, table: usize, at: usize, stride: usize) {
        let body = &self.0;
        let zero = simd.splat_f32s(0.0);
        // SAFETY: the caller's; the sums are there where SUM.
        unsafe {
            let (scale, shift) = (load::<S>(body.scale, table), load::<S>(body.shift, table));
            let tables = body.sums.unwrap_or((std::ptr::null_mut(), std::ptr::null_mut()));
            let (mut sum, mut product) = (zero, zero);
            if SUM {
                (sum, product) = (load::<S>(tables.0, table), load::<S>(tables.1, table));
            }
            for at in (0..G).map(|g| at + g * stride) {
                let raw = load::<S>(body.raw, at);
                let x = simd.mul_add_e_f32s(raw, scale, shift);
                let mut gradient = body.act.gradient(simd, x, load::<S>(body.gradient, at));
                if ADD {
                    gradient = simd.add_f32s(gradient, load::<S>(body.into, at));
                }
                store::<S>(body.into, at, gradient);
                if SUM {
                    sum = simd.add_f32s(sum, gradient);
                    product = simd.mul_add_e_f32s(gradient, raw, product);
                }
            }
            if SUM {
                store::<S>(tables.0, table, sum);
                store::<S>(tables.1, table, product);
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
