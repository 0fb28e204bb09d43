// The table of uneven steps of the IQ4 types, dense near zero: IQ4_VALUES of quant/blocks.rs.
//
// A table indexed at run time goes through memory on some drivers. Here the four bits of an index choose, one after another,
// between 16 constants, then 8, 4 and 2 of what was chosen, for the 16 bytes of a vector at once.

// Bit `bit` of each byte, in all of the byte's bits.
fn bit_mask(q: vec4<u32>, bit: u32) -> vec4<u32> {
    let ones = (q >> vec4(bit)) & vec4(0x01010101u);
    return (ones << vec4(8u)) - ones;
}

// Of each bit, that of `one` where the mask has a 1, else that of `zero`.
fn choose(mask: vec4<u32>, zero: vec4<u32>, one: vec4<u32>) -> vec4<u32> {
    return zero ^ ((zero ^ one) & mask);
}

fn choose_step(mask: vec4<u32>, even: i32, odd: i32) -> vec4<u32> {
    return choose(mask, vec4(u32(even & 255) * 0x01010101u), vec4(u32(odd & 255) * 0x01010101u));
}

// The steps of 16 indices, one a byte, as signed bytes.
fn iq4_steps(q: vec4<u32>) -> vec4<u32> {
    let bit_0 = bit_mask(q, 0u);
    let bit_1 = bit_mask(q, 1u);
    let bit_2 = bit_mask(q, 2u);
    let first = choose(
        bit_2,
        choose(bit_1, choose_step(bit_0, -127, -104), choose_step(bit_0, -83, -65)),
        choose(bit_1, choose_step(bit_0, -49, -35), choose_step(bit_0, -22, -10)),
    );
    let last = choose(
        bit_2,
        choose(bit_1, choose_step(bit_0, 1, 13), choose_step(bit_0, 25, 38)),
        choose(bit_1, choose_step(bit_0, 53, 69), choose_step(bit_0, 89, 113)),
    );
    return choose(bit_mask(q, 3u), first, last);
}
